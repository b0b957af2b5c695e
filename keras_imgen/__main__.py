"""`python -m keras_imgen`: the same as the command `keras-imgen`."""

import sys

from keras_imgen.cli import main

if __name__ == "__main__":
    sys.exit(main())
