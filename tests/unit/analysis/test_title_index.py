"""Items found by what people call them."""

import pytest

from cfbench.analysis.catalogue import TitleIndex, plain_form
from cfbench.errors import UnknownNameError, UsageError

FILMS = (
    "Silence of the Lambs, The (1991)",
    "Sabrina (1954)",
    "Sabrina (1995)",
    "City of Lost Children, The (Cité des enfants perdus, La) (1995)",
    "Amélie (2001)",
    "It (1990)",
    "Dial M for Murder (1954)",
    "Die Hard (1988)",
    "Babe (1995)",
)


@pytest.fixture(scope="module")
def films() -> TitleIndex:
    return TitleIndex(FILMS, [f"i{number}" for number in range(len(FILMS))])


@pytest.mark.parametrize(
    "text",
    [
        "Silence of the Lambs, The (1991)",
        "Silence of the Lambs",
        "the silence of the lambs",
        "THE SILENCE OF THE LAMBS (1991)",
        "Silence of the Lambs, The",
        "lambs",
        "i0",
    ],
)
def test_case_articles_year_and_a_part_of_the_title_do_not_matter(films, text):
    assert films.find(text) == 0


@pytest.mark.parametrize(
    ("text", "code"), [("city of lost children", 3), ("amelie", 4), ("Sabrina (1995)", 2), ("die hard", 7), ("it", 5)]
)
def test_foreign_names_accents_years_and_short_titles_are_found(films, text, code):
    assert films.find(text) == code


def test_a_word_inside_another_word_is_no_part_of_a_title(films):
    with pytest.raises(UnknownNameError, match="no item of the training data is called 'ambs'"):
        films.find("ambs")


def test_what_fits_several_titles_is_refused_with_their_names(films):
    with pytest.raises(UsageError, match=r"fits 2 titles; name one: 'Sabrina \(1954\)', 'Sabrina \(1995\)'"):
        films.find("Sabrina")


def test_a_wrong_year_is_not_overlooked(films):
    with pytest.raises(UnknownNameError, match=r"did you mean 'Babe \(1995\)'"):
        films.find("Babe (1990)")


def test_a_slip_is_answered_by_the_nearest_title(films):
    with pytest.raises(UnknownNameError, match=r"did you mean 'Silence of the Lambs, The \(1991\)'\?"):
        films.find("Silense of the Lamps")


@pytest.mark.parametrize(
    ("title", "form"),
    [
        ("Boot, Das (1981)", "boot"),
        ("A Close Shave", "close shave"),
        ("Schindler's List (1993)", "schindlers list"),
        ("The", "the"),
        ("12 Angry Men (1957)", "12 angry men"),
        ("???", "???"),
    ],
)
def test_the_plain_form_has_no_article_at_its_ends_no_year_and_no_points(title, form):
    assert plain_form(title) == form
