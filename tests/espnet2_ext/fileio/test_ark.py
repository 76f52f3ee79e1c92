"""Archives against kaldiio and Kaldi's own code (kaldi_native_io), in both directions."""

import multiprocessing
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import kaldi_native_io
import kaldiio
import numpy as np
import pytest

from espnet2_ext.errors import UserError
from espnet2_ext.fileio.ark import ArkReader, ArkWriter

SHAPES = [(250, 64), (1, 1), (3, 80), (9, 2), (400, 5)]


@pytest.fixture
def matrices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    return {f"utt{i}": rng.standard_normal(shape).astype(np.float32) * 7 for i, shape in enumerate(SHAPES)}


def write(arrays: dict[str, np.ndarray], compression: int | None = None) -> None:
    with ArkWriter("a.ark", "a.scp", compression) as writer:
        for name, array in arrays.items():
            writer.write(name, array)


def test_ours_is_read_by_both(matrices: dict[str, np.ndarray]) -> None:
    write(matrices)
    theirs = kaldiio.load_scp("a.scp")
    with kaldi_native_io.RandomAccessFloatMatrixReader("scp:a.scp") as kaldi:
        for name, matrix in matrices.items():
            np.testing.assert_array_equal(theirs[name], matrix)
            np.testing.assert_array_equal(kaldi[name], matrix)
    with kaldi_native_io.SequentialFloatMatrixReader("ark:a.ark") as kaldi:
        assert [name for name, _ in kaldi] == list(matrices)


def test_theirs_is_read_by_ours(matrices: dict[str, np.ndarray]) -> None:
    kaldiio.save_ark("k.ark", matrices, scp="k.scp")
    with kaldi_native_io.FloatMatrixWriter("ark,scp:n.ark,n.scp") as writer:
        for name, matrix in matrices.items():
            writer.write(name, matrix)
    for scp in ("k.scp", "n.scp"):
        reader = ArkReader(scp)
        assert list(reader.keys()) == list(matrices)
        assert len(reader) == len(matrices)
        for name, matrix in matrices.items():
            assert reader.shape(name) == matrix.shape
            for _ in range(2):  # the second read takes the short way
                np.testing.assert_array_equal(reader[name], matrix)


def test_vectors_and_doubles(matrices: dict[str, np.ndarray]) -> None:
    vector = np.arange(5, dtype=np.float32) / 3
    double = np.random.default_rng(1).standard_normal((4, 3))
    kaldiio.save_ark("k.ark", {"fv": vector, "dm": double, "dv": double[0]}, scp="k.scp")
    reader = ArkReader("k.scp")
    np.testing.assert_array_equal(reader["fv"], vector)
    np.testing.assert_array_equal(reader["dm"], double.astype(np.float32))
    np.testing.assert_array_equal(reader["dv"], double[0].astype(np.float32))
    write({"v": vector})
    with kaldi_native_io.RandomAccessFloatVectorReader("scp:a.scp") as kaldi:
        np.testing.assert_array_equal(kaldi["v"], vector)


@pytest.mark.parametrize("method", range(1, 8))
def test_compressed_equals_kaldiio_and_kaldi(matrices: dict[str, np.ndarray], method: int) -> None:
    rng = np.random.default_rng(2)
    top = {4: 900.0, 6: 255.0, 7: 1.0}.get(method, 1.0)
    arrays = {name: (rng.random(matrix.shape) * top).astype(np.float32) for name, matrix in matrices.items()}
    write(arrays, method)
    reader, theirs = ArkReader("a.scp"), kaldiio.load_scp("a.scp")
    with kaldi_native_io.RandomAccessFloatMatrixReader("scp:a.scp") as kaldi:
        for name, array in arrays.items():
            assert reader.shape(name) == array.shape
            decoded = reader[name]
            np.testing.assert_array_equal(decoded, theirs[name])
            # kaldiio multiplies 16-bit integers by 65535 in float32, which costs their last bit.
            np.testing.assert_allclose(decoded, kaldi[name], rtol=4e-5 if method == 4 else 1e-5, atol=1e-6 * top)
            # A step of an 8-bit code, the coarsest case.
            np.testing.assert_allclose(decoded, array, atol=1.0 if method == 4 else top / 63)


def test_kaldis_own_compression_is_read(matrices: dict[str, np.ndarray]) -> None:
    with kaldi_native_io.CompressedMatrixWriter("ark,scp:c.ark,c.scp") as writer:
        for name, matrix in matrices.items():
            writer.write(name, matrix, kaldi_native_io.CompressionMethod.kAutomaticMethod)
    reader, theirs = ArkReader("c.scp"), kaldiio.load_scp("c.scp")
    for name in matrices:
        np.testing.assert_array_equal(reader[name], theirs[name])


def test_values_outside_a_fixed_range_are_clipped(matrices: dict[str, np.ndarray]) -> None:
    write({"u": np.array([[-5.0, 300.0, 12.0]], np.float32)}, 6)
    np.testing.assert_allclose(ArkReader("a.scp")["u"], [[0, 255, 12]], atol=1e-4)


def test_bytes_are_stored_as_they_are(matrices: dict[str, np.ndarray]) -> None:
    """A one-byte matrix of all 256 values, there and back, and as both others read and write it."""
    pixels = np.random.default_rng(3).permutation(np.arange(3 * 512) % 256).astype(np.uint8).reshape(3, 512)
    write({"u": pixels, "one": pixels[:1], "none": pixels[:0]}, 6)
    reader, theirs = ArkReader("a.scp"), kaldiio.load_scp("a.scp")
    found = reader.read_uint8("u")
    assert found.dtype == np.uint8
    assert found.flags.writeable
    for _ in range(2):
        np.testing.assert_array_equal(reader.read_uint8("u"), pixels)
        np.testing.assert_array_equal(reader["u"], pixels.astype(np.float32))
    np.testing.assert_array_equal(reader.read_uint8("one"), pixels[:1])
    assert reader["none"].shape == (0, 512)
    np.testing.assert_array_equal(theirs["u"], pixels)
    with kaldi_native_io.RandomAccessFloatMatrixReader("scp:a.scp") as kaldi:
        np.testing.assert_array_equal(np.rint(kaldi["u"]), pixels)
    # 22 bytes of header, "u ", and a byte a pixel.
    assert reader._known["one"].length == 22 + 512
    kaldiio.save_ark("k.ark", {"u": pixels.astype(np.float32)}, scp="k.scp", compression_method=6)
    np.testing.assert_array_equal(ArkReader("k.scp").read_uint8("u"), pixels)
    with kaldi_native_io.CompressedMatrixWriter("ark,scp:n.ark,n.scp") as writer:
        writer.write("u", pixels.astype(np.float32), kaldi_native_io.CompressionMethod.kOneByteUnsignedInteger)
    np.testing.assert_array_equal(ArkReader("n.scp").read_uint8("u"), pixels)


@pytest.mark.parametrize("compression", [None, 2, 5, 7])
def test_what_holds_no_bytes_is_not_read_as_bytes(matrices: dict[str, np.ndarray], compression: int | None) -> None:
    write({"u": np.arange(12, dtype=np.uint8).reshape(3, 4)}, compression)
    with pytest.raises(UserError, match=r"utterance u: a matrix of type .* does not hold bytes from 0 to 255"):
        ArkReader("a.scp").read_uint8("u")


def test_arrays_are_new_and_writable(matrices: dict[str, np.ndarray]) -> None:
    write(matrices)
    reader = ArkReader("a.scp")
    first = reader["utt0"]
    first += 1
    np.testing.assert_array_equal(reader["utt0"], matrices["utt0"])
    assert first.dtype == np.float32
    assert first.flags.aligned


def _sum_in_child(reader: ArkReader) -> float:
    return float(sum(reader[name].sum() for name in list(reader.keys())))


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers(matrices: dict[str, np.ndarray], start: str) -> None:
    write(matrices)
    reader = ArkReader("a.scp")
    expected = _sum_in_child(reader)
    with multiprocessing.get_context(start).Pool(2) as pool:
        assert pool.map(_sum_in_child, [reader] * 4) == [expected] * 4
    assert _sum_in_child(reader) == expected


def test_threads_and_few_descriptors(matrices: dict[str, np.ndarray]) -> None:
    lines = []
    for number in range(300):  # more files than stay open
        kaldiio.save_ark(f"{number}.ark", {f"u{number}": np.full((2, 3), number, np.float32)})
        lines.append(f"u{number} {number}.ark:{len(f'u{number}') + 1}\n")
    Path("a.scp").write_text("".join(lines))
    reader = ArkReader("a.scp")
    before = len(os.listdir("/proc/self/fd"))
    order = np.random.default_rng(0).integers(0, 300, 6000)
    with ThreadPoolExecutor(8) as pool:
        values = list(pool.map(lambda n: reader[f"u{n}"][1, 2], order))
    np.testing.assert_array_equal(values, order)
    assert len(os.listdir("/proc/self/fd")) <= before + 140


def test_order_and_place_in_the_script_file(matrices: dict[str, np.ndarray]) -> None:
    Path("dump").mkdir()
    with ArkWriter("dump/a.ark", "dump/a.scp", ark_name="elsewhere/a.ark") as writer:
        writer.write("b", matrices["utt0"])
        writer.write("a", matrices["utt1"])
    assert Path("dump/a.scp").read_text() == f"b elsewhere/a.ark:2\na elsewhere/a.ark:{2 + 15 + 64000 + 2}\n"


def test_an_exception_leaves_the_old_files(matrices: dict[str, np.ndarray]) -> None:
    write({"old": matrices["utt0"]})
    before = sorted(os.listdir())

    def fail() -> None:
        with ArkWriter("a.ark", "a.scp") as writer:
            writer.write("new", matrices["utt1"])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert sorted(os.listdir()) == before
    np.testing.assert_array_equal(ArkReader("a.scp")["old"], matrices["utt0"])


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        ("twice", np.zeros((1, 1)), "occurs twice"),
        ("a b", np.zeros((1, 1)), "holds a blank"),
        ("nan", np.array([[np.nan]]), "not finite"),
        ("inf", np.array([np.inf, -np.inf]), "not finite"),
        ("cube", np.zeros((1, 1, 1)), "3 dimensions"),
    ],
)
def test_what_is_not_written(matrices: dict[str, np.ndarray], name: str, array: np.ndarray, words: str) -> None:
    with ArkWriter("a.ark", "a.scp") as writer:
        writer.write("twice", np.ones((2, 2)))
        with pytest.raises(UserError, match=words):
            writer.write(name, array)
    assert list(ArkReader("a.scp").keys()) == ["twice"]


def test_large_finite_values_are_written(matrices: dict[str, np.ndarray]) -> None:
    big = np.full((3, 3), 3e38, np.float32)  # their sum overflows
    write({"big": big})
    np.testing.assert_array_equal(ArkReader("a.scp")["big"], big)


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # The temporary file leads to a device that is always full.
    monkeypatch.setattr("espnet2_ext.fileio.ark_writer.temp_path", lambda path: Path(f"{path}.tmp"))
    os.symlink("/dev/full", "a.ark.tmp")

    def fill() -> None:
        with ArkWriter("a.ark", "a.scp") as writer:
            for number in range(100):
                writer.write(str(number), np.zeros((250, 64), np.float32))

    with pytest.raises(UserError, match="No space left") as caught:
        fill()
    assert "\n" not in str(caught.value)
    assert os.listdir() == []


def test_pickling_keeps_the_table(matrices: dict[str, np.ndarray]) -> None:
    write(matrices)
    reader = ArkReader("a.scp")
    assert reader["utt1"].shape == (1, 1)
    copy = pickle.loads(pickle.dumps(reader))  # noqa: S301 - our own object
    np.testing.assert_array_equal(copy["utt0"], matrices["utt0"])
