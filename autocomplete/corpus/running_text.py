"""
Running text that stays in its files: encoded once, as it streams by, and read again in parts.

What is encoded is kept in a cache, under the hash of the files and all else that it depends on; that of a small text is made
afresh each time and deleted with it.
"""

from __future__ import annotations

import gc
import hashlib
import multiprocessing
import os
import signal
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import chain, islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from autocomplete.corpus.cache import cached, find_cached, temporary
from autocomplete.corpus.chunks import SYMBOLS, WORDS, Chunk, Destination, Numbering, Place, TooManyError
from autocomplete.corpus.encoded import EncodedText
from autocomplete.corpus.files import LONGEST_LINE, TextFile, numbered_lines, reading
from autocomplete.errors import CorpusError
from autocomplete.text.alphabets import Alphabet

if TYPE_CHECKING:
    from autocomplete.corpus.encoding import ChunkWriter

__all__ = ["RunningText", "Watch", "hash_files"]

Watch = Callable[[Literal["checking", "reading"], int, int], None]  # what is done, and how many bytes of how many

_FORMAT = 2  # of what is in the cache; another one is not found there
_SMALL = 4_000_000  # bytes; a text below that is encoded in the time that a process takes to start
_CHUNK = 8_000_000  # bytes
_PROCESSES = 4  # each takes 100 MB, and one alone can serve no more


class RunningText:
    """
    The lines of some files, one after another.

    :param watch: told how far the files are read.
    :raises CorpusError: where one cannot be read.
    """

    def __init__(self, files: Sequence[TextFile], alphabet: Alphabet, watch: Watch | None = None) -> None:
        self._files, self.alphabet = tuple(files), alphabet
        self._watch: Watch = watch or (lambda *_: None)
        self._encoded: dict[float, EncodedText] = {}
        self._states = [file.state for file in files]
        self.size = sum(size for size, _ in self._states)
        self.sha256 = hash_files(files, self._watch)

    def encoded(self, hurried: float = 0.0) -> EncodedText:
        """
        Return the text as numbers.

        :param hurried: share of the lines that have lost their marks, as people type in haste. Which ones, the text tells: they
            are the same for every seed.
        :raises CorpusError: where it is no text, has changed, or there is no room for what is made of it.
        """
        if hurried not in self._encoded:
            keep = temporary if self.size < _SMALL else partial(cached, f"{self._content}-{hurried:g}")
            self._encoded[hurried] = keep(lambda folder: self._make(folder, hurried), EncodedText.read)
        return self._encoded[hurried]

    def counted(self, hurried: float = 0.0) -> EncodedText:
        """Return the text encoded in any way, best in the one given: words are counted alike in all."""
        if not self._encoded and self.size >= _SMALL and (found := find_cached(f"{self._content}-*", EncodedText.read)):
            return found
        return next(iter(self._encoded.values()), None) or self.encoded(hurried)

    def lines(self, start: int = 0) -> Iterator[str]:
        """Yield the lines from one on, in normal form, without blank ones."""
        chunks = self.counted().chunks[:-1] if start else [Place(0, 0, 0, 0, 0)]
        place = chunks[_chunk_at(chunks, start)]
        files = self._files[place.file :]
        lines = chain(numbered_lines(files[0], place.byte), *map(numbered_lines, files[1:]))
        yield from (self.alphabet.surface(line) for _, line in islice(lines, start - place.line, None))

    def before(self, line: int, hurried: float = 0.0) -> tuple[int, int]:
        """Return how many symbols and numbers of words come before a line."""
        chunks = self.encoded(hurried).chunks
        number = _chunk_at(chunks, line)
        place = chunks[number]
        if place.line == line:
            return place.symbol, place.word
        file = self._files[place.file]
        last, _ = next(islice(numbered_lines(file, place.byte), line - place.line - 1, None))
        with reading(file.name), file.path.open("rb") as opened:
            opened.seek(place.byte)
            length = sum(map(len, islice(opened, last)))
        with self._writers(Path(), hurried, most=1) as [writer]:
            writer.send(None, Chunk(number, place.file, place.byte, length))
            report = writer.receive()
        assert report is not None
        return place.symbol + report.symbols, place.word + report.words

    @property
    def _content(self) -> str:
        """What the encoded text depends on, beside the share of hurried lines."""
        depends = f"{_FORMAT} {self.sha256} {[size for size, _ in self._states]} {self.alphabet}"
        return hashlib.sha256(depends.encode()).hexdigest()[:32]

    def _make(self, folder: Path, hurried: float) -> None:
        try:
            self._write(folder, hurried, width=1)
        except TooManyError:
            self._write(folder, hurried, width=2)
        for file, state in zip(self._files, self._states, strict=True):
            if file.state != state:
                raise _changed(file)

    def _write(self, folder: Path, hurried: float, width: int) -> None:
        """Write the encoded text into files, with so many bytes for a symbol."""
        for name in (SYMBOLS, WORDS):
            (folder / name).write_bytes(b"")
        numbering, done = Numbering(width), 0
        with self._writers(folder, hurried) as writers:
            chunks = self._chunks()
            given = deque(zip(writers, chunks, strict=False))
            for writer, chunk in given:
                writer.send(None, chunk)
            at_work = [writer for writer, _ in given]
            while given:
                writer, chunk = given.popleft()
                if (report := writer.receive()) is None:
                    file = self._files[chunk.file]
                    for _ in numbered_lines(file):  # raises the error that says what is wrong, and where
                        pass
                    raise _changed(file)
                following = next(chunks, None)
                writer.send(numbering.place(chunk, report), following)
                if following is not None:
                    given.append((writer, following))
                done += chunk.length
                self._watch("reading", done, self.size)
            for writer in at_work:
                numbering.add(writer.receive())
        numbering.write(folder)

    @contextmanager
    def _writers(self, folder: Path, hurried: float, most: int = _PROCESSES) -> Iterator[list[_Helper | ChunkWriter]]:
        """Yield writers of chunks: of a long text in processes of their own, which take their memory with them."""
        count = min(_PROCESSES, _processors()) if self.size >= _SMALL else 1
        arguments = [file.path for file in self._files], folder, self.alphabet, hurried
        if count == 1:
            yield [_chunk_writer(*arguments)]
            return
        with ExitStack() as stack:
            yield [stack.enter_context(_Helper(*arguments)) for _ in range(min(most, count))]

    def _chunks(self) -> Iterator[Chunk]:
        """Yield the text in whole lines."""
        number = 0
        for index, file in enumerate(self._files):
            size, begin = self._states[index][0], 0
            with reading(file.name), file.path.open("rb") as opened:
                while begin < size:
                    opened.seek(begin + _CHUNK - 1)
                    opened.readline(LONGEST_LINE + 1)
                    end = min(max(opened.tell(), begin + _CHUNK), size)
                    yield Chunk(number, index, begin, end - begin)
                    begin, number = end, number + 1


def hash_files(files: Sequence[TextFile], watch: Watch = lambda *_: None) -> str:
    """Return the SHA-256 of the bytes of all files; raise CorpusError where one cannot be read."""
    digest, done, size = hashlib.sha256(), 0, sum(file.state[0] for file in files)
    for file in files:
        with reading(file.name), file.path.open("rb") as opened:
            while data := opened.read(_CHUNK):
                digest.update(data)
                done += len(data)
                watch("checking", done, size)
    return digest.hexdigest()


def _changed(file: TextFile) -> CorpusError:
    return CorpusError(f"{file.name}: has changed while it was read; try again")


def _chunk_at(chunks: Sequence[Place], line: int) -> int:
    """Return the number of the last chunk that begins no later than a line."""
    return bisect_right(chunks, line, key=lambda chunk: chunk.line) - 1


def _chunk_writer(*arguments: Any) -> ChunkWriter:
    from autocomplete.corpus.encoding import ChunkWriter  # loads Numba

    return ChunkWriter(*arguments)


class _Helper:
    """A process with a `ChunkWriter`, which does the same."""

    def __init__(self, *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, *arguments), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._ours.close()
        self._process.terminate()
        self._process.join()

    def send(self, destination: Destination | None, chunk: Chunk | None) -> None:
        with suppress(BrokenPipeError):  # told by `receive`
            self._ours.send((destination, chunk))

    def receive(self) -> Any:
        try:
            answer = self._ours.recv()
        except (EOFError, ConnectionResetError):
            raise CorpusError("a process that reads the text ended early; close other programs and try again") from None
        if isinstance(answer, OSError):
            raise answer
        return answer


def _serve(pipe: Connection, *arguments: Any) -> None:
    """Answer what is sent as a `ChunkWriter` does, and an OSError with itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process ends this one
    gc.disable()  # nothing here goes in circles
    writer = _chunk_writer(*arguments)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # that one has ended
        while True:
            task = pipe.recv()
            try:
                writer.send(*task)
                answer = writer.receive()
            except OSError as error:
                answer = error
            pipe.send(answer)


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
