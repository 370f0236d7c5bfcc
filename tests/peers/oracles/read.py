"""Reads TPDUs with smspdudecoder: a line of `deliver HEX` or `submit HEX` in, a JSON object out."""

import json
import logging
import sys
from io import StringIO

from smspdudecoder.fields import SMSDeliver, SMSSubmit

logging.disable(logging.CRITICAL)  # its warnings on short data are answers here: the text ends with an ellipsis


def read(kind, octets):
    # An empty service centre address goes before the TPDU.
    found = {"deliver": SMSDeliver, "submit": SMSSubmit}[kind].decode(StringIO("00" + octets))
    data = found["user_data"]["data"]
    elements = (found["user_data"]["header"] or {"elements": []})["elements"]
    concatenation = next((e["data"] for e in elements if e["iei"] in (0, 8)), None)
    return {
        "address": found["sender" if kind == "deliver" else "recipient"]["number"],
        "text": data if isinstance(data, str) else None,
        "data": None if isinstance(data, str) else data.hex(),
        "time": int(found["scts"].timestamp()) if kind == "deliver" else None,
        "concatenation": concatenation
        and [concatenation["reference"], concatenation["parts_count"], concatenation["part_number"]],
    }


for line in sys.stdin:
    try:
        answer = read(*line.split())
    except Exception as error:  # whatever it is, it is this reader's verdict
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
