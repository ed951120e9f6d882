#!/usr/bin/env python
"""Train a forecaster of time series, measure it beside simple forecasts, and save it.

    python scripts/run_forecasting.py --train_file power.csv --horizon 96 --output_dir my-forecaster
    python scripts/run_forecasting.py --train_file ETTh1.csv --horizon 96 --borders 8640 11520 14400 --output_dir etth1
    python scripts/run_forecasting.py --train_file sales.parquet --horizon 28 --known_columns price --output_dir sales

The flags are those of the series and the model, in `--help`, and all of transformers' `TrainingArguments`, which
`--help-all` shows, too. The same run is `hfattnlstm forecast train`, and `Forecaster.fit` of `hfattnlstm` in Python.
"""

import sys

from hfattnlstm.commands.main import main


if __name__ == "__main__":
    sys.exit(main(["forecast", "train", *sys.argv[1:]]))
