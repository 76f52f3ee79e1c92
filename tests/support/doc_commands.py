"""The commands of the documentation: what stands in its fenced sh blocks."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NEED = re.compile(r"\[needs [^\]]+\]")
NEEDS = {"[needs a GPU]", "[needs a corpus]", "[needs a cluster]", "[needs the network]", "[needs minutes]"}
# A block with this comment before it goes on in the shell of the block before; others begin where the document lies.
CONTINUES = "<!-- continues -->"
_FENCE = re.compile(r"^```(\w*)[ \t]*\n(.*?)^```[ \t]*$", re.M | re.S)
_ASSIGNMENT = re.compile(r"^[A-Za-z_]\w*=")
_SEPARATORS = {"&&", "||", "|", ";", "&"}
_REDIRECTIONS = {">", ">>", "<", "2>", ">&"}


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        document: Its document, relative to the root.
        line: Line of the fence.
        language: What stands behind the fence.
        text: Its lines.
        continues: Whether it goes on where the block before ended.
        needs: What all its commands need: on the line before the fence, or on a line of its own inside.
    """

    document: Path
    line: int
    language: str
    text: str
    continues: bool
    needs: tuple[str, ...]

    @property
    def commands(self) -> list["Command"]:
        """Its commands, one for each line; a line that ends with a backslash takes the next one with it."""
        found = []
        for line in self.text.replace("\\\n", " ").splitlines():
            stripped = line.strip()
            if stripped and not stripped.startswith("#"):
                found.append(Command(self, stripped, self.needs + tuple(NEED.findall(line))))
        return found


@dataclass(frozen=True)
class Command:
    """A command line.

    Attributes:
        block: Where it stands.
        line: The line, with its comment.
        needs: What it needs besides a computer, as written: `[needs a GPU]`.
    """

    block: Block
    line: str
    needs: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.block.document}:{self.block.line}: {self.line}"

    @property
    def text(self) -> str:
        """The line without its comment, white space as single spaces."""
        return " ".join(re.sub(r"\s+#\s.*", "", self.line).split())

    def simple(self) -> Iterator[list[str]]:
        """Yield the words of each simple command, without assignments before it and redirections."""
        words: list[str] = []
        skip = False
        for word in [*self._words(), ";"]:
            if skip:
                skip = False
            elif word in _SEPARATORS:
                if words:
                    yield words
                words = []
            elif word in _REDIRECTIONS:
                skip = True
            elif words or not _ASSIGNMENT.match(word):
                words.append(word)

    def _words(self) -> list[str]:
        lexer = shlex.shlex(self.line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        return list(lexer)


def documents() -> list[Path]:
    """The documents that people follow, relative to the root."""
    paths = [ROOT / "README.md", *ROOT.glob("docs/*.md"), ROOT / "egs/README.md", *ROOT.glob("egs/*/mtl1/README.md")]
    paths.append(ROOT / "egs/TEMPLATE/mtl1/skeleton/README.md")
    return sorted(path.relative_to(ROOT) for path in paths)


def base(document: Path) -> Path:
    """Where the readers of a document are, relative to the root: in the recipe, else at the root."""
    if document.parts[:3] == ("egs", "TEMPLATE", "mtl1"):
        return Path("egs/mycorpus/mtl1")
    return document.parent if len(document.parts) == 4 else Path()


def blocks(document: Path) -> list[Block]:
    """The fenced blocks of a document, in order."""
    text = (ROOT / document).read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(text):
        before = text[: match.start()].rstrip().splitlines()[-1:] or [""]
        line = text.count("\n", 0, match.start()) + 1
        comments = [row for row in match[2].splitlines() if row.lstrip().startswith("#")]
        needs = tuple(NEED.findall(" ".join([before[0], *comments])))
        found.append(Block(document, line, match[1], match[2], CONTINUES in before[0], needs))
    return found


def shell_blocks(document: Path) -> list[Block]:
    """The blocks of commands."""
    return [block for block in blocks(document) if block.language in ("sh", "bash")]
