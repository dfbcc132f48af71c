"""The sentence under an album says what the figures say, and no more."""

from cli.album.report import sentence
from protection.linkability import Links

NONE = Links(0, {"vit": None}, 0, None, None)


def links(after: Links, same_target: Links = NONE) -> dict[str, Links]:
    before = Links(after.pairs, {"vit": 1.0}, after.judged, 1.0, 1.0)
    return {"before": before, "after": after, "same_target": same_target, "other_target": NONE}


def test_what_still_links_is_told_beside_what_linked_before() -> None:
    told = sentence(links(Links(4, {"vit": 0.5}, 4, 0.25, 0.5)))
    assert told.startswith("4 pairs of photos show the same person.")
    assert "at least one matched 100 % before and still matches 50 % now" in told
    assert "all of them matched 100 % and now match 25 %" in told
    assert "share a target" not in told


def test_pairs_that_share_a_target_are_told_apart() -> None:
    told = sentence(links(Links(4, {"vit": 0.5}, 4, 0.25, 0.5), Links(1, {"vit": 1.0}, 1, 1.0, 1.0)))
    assert "1 of the pairs share a target: of those, at least one recogniser still matches 100 %." in told


def test_without_pairs_or_without_judges_no_share_is_claimed() -> None:
    assert "%" not in sentence(links(NONE))
    assert "%" not in sentence(links(Links(1, {"vit": 0.0}, 0, None, None)))
