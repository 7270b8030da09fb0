"""Run the recorder as `python -m recorder`."""

from recorder.cli.main import main

if __name__ == "__main__":
    main()
