"""Which names hold a hash. A wrong yes is far worse than a wrong no."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeroserve.pack.fingerprint import is_fingerprinted, looks_hashed

YES = [
    "app.3f2a9c1b.js",
    "assets/index-BxK3d9aQ.css",
    "main.8f3b1c2d.chunk.js",
    "main.8f3b1c2d.chunk.css.map",
    "app-4c1e8f0a9b2d.mjs",
    "style.min.9e107d9d372bb6826bd81d3542a419d6f0d6b9f1c8f0a5f8c9a3b7d1e2f40516.css",
    "logo_1A2B3C4D.png",
    "font-D8x2kP0q.woff2",
    "app-5XQ2ZK7N.js",
    "data.3f2a9c1b.json",
    "engine.3f2a9c1b.wasm",
]
NO = [
    "jquery-3.7.1.min.js",
    "app.js",
    "3f2a9c1b.js",
    "photo-20240131.jpg",
    "photo.20240131T1200.jpg",
    "photo-2024feb01.jpg",
    "photo-12dec2023.jpg",
    "IMG-20240131-WA0001.jpg",
    "banner-1920x1080.jpg",
    "video-1080p60fps.mp4",
    "apple-touch-icon-120x120.png",
    "icon-iPhone15Pro.png",
    "icon-iPhone15.png",
    "photo-DSCN2345.jpg",
    "photo-DSC01234.jpg",
    "menu-cafe2024.png",
    "icon-face2face.svg",
    "page-section10.css",
    "lib-deadbeef.js",
    "lib-12345678.js",
    "lib.bootstrap5.js",
    "report.3f2a9c1b.pdf",
    "about.3f2a9c1b.html",
    "avatar-550e8400-e29b-41d4-a716-a46655440b0f.png",
    "app.3f2a9c1.js",
    "3f2a9c1b-app.js",
    "app.3f2a9c1b",
    "3f2a9c1b/app.js",
    ".3f2a9c1b.js",
    "-3f2a9c1b.js",
]


@pytest.mark.parametrize("name", YES)
def test_names_that_bundlers_write(name: str) -> None:
    assert is_fingerprinted(name)
    assert is_fingerprinted(f"deep/folder/{name}")


@pytest.mark.parametrize("name", NO)
def test_names_that_people_write(name: str) -> None:
    assert not is_fingerprinted(name)


@pytest.mark.parametrize(
    ("alphabet", "length", "share"),
    [
        ("0123456789abcdef", 8, 0.75),
        ("0123456789abcdef", 20, 0.95),
        ("0123456789abcdef", 64, 0.9),
        ("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 8, 0.5),
    ],
)
def test_most_hashes_are_recognized(alphabet: str, length: int, share: float) -> None:
    source = random.Random(1)
    texts = ["".join(source.choices(alphabet, k=length)) for _ in range(4000)]
    assert sum(map(looks_hashed, texts)) / len(texts) >= share


@given(st.from_regex(r"[A-Za-z]{8,40}|[0-9]{8,40}", fullmatch=True))
def test_words_and_numbers_are_no_hashes(text: str) -> None:
    assert not looks_hashed(text)


@given(
    st.from_regex(r"[A-Za-z][a-z]{2,12}[0-9]{1,6}|[0-9]{1,6}[A-Za-z][a-z]{2,12}", fullmatch=True)
)
def test_a_word_with_a_number_is_no_hash(text: str) -> None:
    if 8 <= len(text) <= 64:
        assert not looks_hashed(text)


@given(st.from_regex(r"[0-9]{1,2}(\.[0-9]{1,3}){1,3}(-(alpha|beta|rc)[0-9]{1,2})?", fullmatch=True))
def test_versions_are_no_hashes(version: str) -> None:
    assert not is_fingerprinted(f"library-{version}.js")
    assert not is_fingerprinted(f"library-{version}.min.js")


@given(st.text(max_size=60))
def test_any_name_is_judged(name: str) -> None:
    assert is_fingerprinted(name) in (True, False)
