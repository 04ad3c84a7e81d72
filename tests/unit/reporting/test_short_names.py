"""Long specifications are shortened to what tells them apart."""

from cfbench.reporting.verify_table import short_names


def test_what_all_models_of_one_component_share_is_left_out_and_told():
    short, shared = short_names(["dot[a=1,b=2]", "dot[a=1,b=3]", "nn[a=1]"])
    assert short == {"dot[a=1,b=2]": "dot[b=2]", "dot[a=1,b=3]": "dot[b=3]", "nn[a=1]": "nn"}
    assert shared == {"dot": "dot[a=1]", "nn": "nn[a=1]"}


def test_a_parameter_that_one_of_them_lacks_stays():
    short, _ = short_names(["dot[a=1,stop=2]", "dot[a=1]"])
    assert short == {"dot[a=1,stop=2]": "dot[stop=2]", "dot[a=1]": "dot"}


def test_bare_names_share_nothing():
    assert short_names(["bias", "svd"]) == ({"bias": "bias", "svd": "svd"}, {})
