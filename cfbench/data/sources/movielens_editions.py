"""Published versions of MovieLens: addresses, checksums, scales."""

from __future__ import annotations

from cfbench.data.sources.download import Archive
from cfbench.data.sources.edition import Edition
from cfbench.model.ratings import RatingScale

HOMEPAGE = "https://grouplens.org/datasets/movielens/"
_OFFICIAL = "files.grouplens.org/datasets/movielens"
_STARS = RatingScale(1.0, 5.0)
_HALF_STARS = RatingScale(0.5, 5.0)


ML_100K = Edition(
    archive=Archive(
        name="ml-100k",
        urls=(f"https://{_OFFICIAL}/ml-100k.zip",),
        sha256="50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
        megabytes=5,
        homepage=HOMEPAGE + "100k/",
    ),
    rating_files=("u.data",),
    content="b076589af3833f672bca4380a74ff2dd50d6171cb2657927e80a305d24855bc3",
    scale=_STARS,
)
ML_1M = Edition(
    archive=Archive(
        name="ml-1m",
        urls=(f"https://{_OFFICIAL}/ml-1m.zip",),
        sha256="a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
        megabytes=6,
        homepage=HOMEPAGE + "1m/",
    ),
    rating_files=("ratings.dat", "ratings_no_timestamp.csv"),
    content="9210fb40605341f1ad4da391b9f52719ce0014dbcfc2cf0e4600b734b64147a4",
    scale=_STARS,
    opening=(b"1::661::3::", b"1,1193,5"),
)
# GroupLens replaces ml-latest-small.zip in place, so no checksum of the archive is stable: the ratings are checked.
ML_LATEST_SMALL = {
    "2018": Edition(
        archive=Archive(
            name="ml-latest-small-2018",
            urls=(f"https://{_OFFICIAL}/ml-latest-small.zip",),
            sha256=None,
            megabytes=1,
            homepage=HOMEPAGE + "latest/",
        ),
        rating_files=("ratings.csv",),
        content="3c21eb4cf72e2382926e7f371f5a7463fac1086741c60e5050491892f2fb9bb7",
        scale=_HALF_STARS,
        shared_folder="ml-latest-small",
        opening=(b"1,1,4.0,",),
    ),
    "2016": Edition(
        archive=Archive(
            name="ml-latest-small-2016",
            urls=(f"https://web.archive.org/web/2017id_/http://{_OFFICIAL}/ml-latest-small.zip",),
            sha256=None,
            megabytes=1,
            homepage=f"https://web.archive.org/web/2017/http://{_OFFICIAL}/ml-latest-small.zip",
        ),
        rating_files=("ratings.csv",),
        content="ae242a8ae08a820ee751a88f082936dd2f57bf4aec1cec467a9c1d64bedf98f7",
        scale=_HALF_STARS,
        shared_folder="ml-latest-small",
        opening=(b"1,31,2.5,",),
    ),
}
