"""Reads and writes RPDUs with pycrate: `rp.py read` takes a line of hex and gives a JSON object of fields for each;
`rp.py write` gives RPDUs of its own, each as `{"name", "hex", "fields"}` with the values that went into them.

A field that is absent is left out. Addresses are [TON, NPI, digits or text], times [year, month, day, hour, minute,
second, zone in quarters of an hour], octets hex.
"""

import json
import logging
import sys
from time import struct_time

from pycrate_mobile.TS24011_PPSMS import (
    PPSMSRPTypeClasses, RP_ACK_MO, RP_ACK_MT, RP_DATA_MO, RP_DATA_MT, RP_ERROR_MO, RP_ERROR_MT, RP_SMMA,
    RPDestinationAddress,
)
from pycrate_mobile.TS23040_SMS import (
    SMS_COMMAND, SMS_DELIVER, SMS_DELIVER_REPORT_RP_ACK, SMS_DELIVER_REPORT_RP_ERROR, SMS_STATUS_REPORT, SMS_SUBMIT,
    SMS_SUBMIT_REPORT_RP_ACK, SMS_SUBMIT_REPORT_RP_ERROR,
)

CENTRE = [1, 1, "447700900999"]
BOB = [1, 1, "447700900222"]
TIME = [26, 11, 21, 13, 5, 59, 4]


# ---- reading ----

def read(octets):
    rpdu = PPSMSRPTypeClasses[octets[0] & 7]()
    warnings.clear()
    rpdu.from_bytes(octets)
    fields = {"rp_mti": rpdu["MTI"].get_val(), "rp_mr": rpdu["Ref"].get_val(), "same": rpdu.to_bytes() == octets}
    if warnings:
        fields["warning"] = "; ".join(warnings)
    for part in rpdu:
        if part._name in ("RPOriginatorAddress", "RPDestinationAddress") and part["L"].get_val():
            fields["rp_oa" if "Originator" in part._name else "rp_da"] = address(part[1])
        elif part._name == "RPCause":
            fields["rp_cause"] = part[1]["Value"].get_val()
            if part[1]["Diag"].get_len():
                fields["rp_diagnostic"] = part[1]["Diag"].to_bytes().hex()
        elif part._name == "RPUserData" and not part.get_trans():
            tpdu = part[-1]
            if tpdu._name.startswith("SMS_"):
                fields.update(read_tpdu(tpdu))
    return fields


FLAGS = ("TP_RP", "TP_UDHI", "TP_SRI", "TP_SRR", "TP_SRQ", "TP_LP", "TP_MMS", "TP_RD", "TP_MTI")
NUMBERS = ("TP_MR", "TP_ST", "TP_FCS", "TP_CT", "TP_MN")
OCTETS = ("TP_PID", "TP_DCS", "TP_PI")


def read_tpdu(tpdu):
    fields = {"type": tpdu._name.removesuffix("_RP_ACK").removesuffix("_RP_ERROR").replace("_", "-")}
    for part in tpdu:
        name = part._name
        if part.get_trans():
            continue
        if name in FLAGS or name in NUMBERS:
            fields[name.lower()] = part.get_val()
        elif name in OCTETS:
            fields[name.lower()] = part.to_bytes()[0]
        elif name in ("TP_OA", "TP_DA", "TP_RA"):
            fields[name.lower()] = address(part)
        elif name in ("TP_SCTS", "TP_DT"):
            fields[name.lower()] = time(part)
        elif name == "TP_VPe":
            fields["tp_vp"] = ["enhanced", part.to_bytes().hex()]
        elif name == "TP_VP":
            relative = type(part).__name__ == "Uint8"
            fields["tp_vp"] = ["relative", part.get_val()] if relative else ["absolute", time(part)]
        elif name == "TP_UD":
            fields["tp_udl"] = part["UDL"].get_val()
            if not part["UDH"].get_trans():
                fields["tp_udh"] = part["UDH"].to_bytes().hex()
            data = part["UD"].decode()
            fields["text" if isinstance(data, str) else "data"] = data if isinstance(data, str) else data.hex()
        elif name == "TP_CD":
            header = b"" if part["UDH"].get_trans() else part["UDH"].to_bytes()
            fields["tp_cd"] = (header + part["CD"].to_bytes()).hex()
    return fields


def address(part):
    return [part["Type"].get_val(), part["NumberingPlan"].get_val(), part["Num"].decode()]


def time(part):
    at, zone = part.decode()
    return [at.tm_year - part.YEAR_BASE, at.tm_mon, at.tm_mday, at.tm_hour, at.tm_min, at.tm_sec, int(zone * 4)]


class Warnings(logging.Handler):
    def emit(self, record):
        warnings.append(record.getMessage())


warnings = []


# ---- writing ----

def set_address(part, value):
    part["Type"].set_val(value[0])
    part["NumberingPlan"].set_val(value[1])
    part["Num"].encode(value[2])


def set_time(part, value):
    part.encode(struct_time((2000 + value[0], *value[1:6], 0, 0, 0)), value[6] / 4)


def set_octet(part, octet):
    part.from_bytes(bytes([octet]))


def set_user_data(part, fields, elements):
    """TP-UD from text or data, behind a header of (identifier, values) if there is one."""
    if elements:
        part["UDH"]["UDH"].set_val([{"T": identifier, "V": values} for identifier, values in elements])
        fields["tp_udh"] = part["UDH"].to_bytes().hex()
    part["UD"].encode(fields["text"] if "text" in fields else bytes.fromhex(fields["data"]))


TPDUS = {
    "SMS-DELIVER": SMS_DELIVER, "SMS-SUBMIT": SMS_SUBMIT, "SMS-STATUS-REPORT": SMS_STATUS_REPORT, "SMS-COMMAND": SMS_COMMAND,
    "SMS-DELIVER-REPORT": (SMS_DELIVER_REPORT_RP_ACK, SMS_DELIVER_REPORT_RP_ERROR),
    "SMS-SUBMIT-REPORT": (SMS_SUBMIT_REPORT_RP_ACK, SMS_SUBMIT_REPORT_RP_ERROR),
}
VP_FORMATS = {"enhanced": 1, "relative": 2, "absolute": 3}


def write(number, name, fields, elements=()):
    """An RPDU with these fields; `fields` gets those that follow from others."""
    make = TPDUS[fields["type"]]
    tpdu = (make[1 if "tp_fcs" in fields else 0] if isinstance(make, tuple) else make)()
    fields["tp_mti"] = tpdu["TP_MTI"].get_val()
    fields["tp_udhi"] = 1 if elements else 0
    for part in tpdu:
        field = part._name.lower()
        if part._name in FLAGS and field != "tp_mti":
            part.set_val(fields.setdefault(field, 0))
    if fields["type"] == "SMS-SUBMIT":
        tpdu["TP_VPF"].set_val(VP_FORMATS[fields["tp_vp"][0]] if "tp_vp" in fields else 0)
    if fields["type"] == "SMS-STATUS-REPORT":
        tpdu["TP_PI"].set_trans("tp_pi" not in fields)
    for part in tpdu:
        field = part._name.lower()
        if part._name in NUMBERS:
            part.set_val(fields[field])
        elif part._name in OCTETS and field in fields:
            set_octet(part, fields[field])
        elif part._name in ("TP_OA", "TP_DA", "TP_RA"):
            set_address(part, fields[field])
        elif part._name in ("TP_SCTS", "TP_DT"):
            set_time(part, fields[field])
        elif part._name in ("TP_VP", "TP_VPe") and not part.get_trans():
            kind, value = fields["tp_vp"]
            if kind == "relative":
                part.set_val(value)
            elif kind == "absolute":
                set_time(part, value)
            else:
                part.set_val(value)
                fields["tp_vp"] = ["enhanced", part.to_bytes().hex()]
        elif part._name == "TP_CD":
            part["CD"].set_val(bytes.fromhex(fields["tp_cd"]))
    if "text" in fields or "data" in fields:
        set_user_data(tpdu["TP_UD"], fields, elements)
        fields["tp_udl"] = udl(fields, tpdu["TP_UD"])
    from_handset = fields["type"] in ("SMS-SUBMIT", "SMS-COMMAND", "SMS-DELIVER-REPORT")
    fields["rp_mr"] = number & 0xFF
    if not isinstance(make, tuple):
        rpdu = (RP_DATA_MO if from_handset else RP_DATA_MT)()
        centre = RPDestinationAddress()
        set_address(centre, CENTRE)
        element = "RPDestinationAddress" if from_handset else "RPOriginatorAddress"
        rpdu[element].set_val({"V": centre.to_bytes()})
        fields["rp_da" if from_handset else "rp_oa"] = CENTRE
    elif "tp_fcs" in fields:
        rpdu = (RP_ERROR_MO if from_handset else RP_ERROR_MT)()
        rpdu["RPCause"].set_val({"V": bytes([22])})
        fields["rp_cause"] = 22
    else:
        rpdu = (RP_ACK_MO if from_handset else RP_ACK_MT)()
    fields["rp_mti"] = rpdu["MTI"].get_val()
    rpdu["Ref"].set_val(fields["rp_mr"])
    rpdu["RPUserData"].set_trans(False)
    rpdu.set_tpdu(tpdu)
    print(json.dumps({"name": f"{fields['type']}: {name}", "hex": rpdu.to_bytes().hex(), "fields": fields}))


def udl(fields, part):
    """TP-UDL as TS 23.040 §9.2.3.16 has it: septets for GSM 7-bit text, else octets; the header counts."""
    header = len(fields.get("tp_udh", "")) // 2
    if "data" in fields:
        return header + len(fields["data"]) // 2
    if fields.get("tp_dcs", 0) in (0x08, 0x18, 0xE0):
        return header + 2 * len(fields["text"])
    extension = sum(character in "^{}\\[~]|€" for character in fields["text"])
    return -(-header * 8 // 7) + len(fields["text"]) + extension


def write_all():
    number = 0

    def case(name, fields, elements=()):
        nonlocal number
        number += 1
        write(number, name, fields, elements)

    def message(**fields):
        return fields if "data" in fields else {"text": "hello", **fields}

    def submit(**more):
        return message(**{"type": "SMS-SUBMIT", "tp_mr": 7, "tp_da": BOB, "tp_pid": 0, "tp_dcs": 0, **more})

    def deliver(**more):
        return message(**{"type": "SMS-DELIVER", "tp_oa": BOB, "tp_pid": 0, "tp_dcs": 0, "tp_scts": TIME, **more})

    def status(**more):
        return {"type": "SMS-STATUS-REPORT", "tp_mr": 9, "tp_ra": BOB, "tp_scts": TIME, "tp_dt": TIME, "tp_st": 0, **more}

    for flag in ("tp_rp", "tp_srr", "tp_rd"):
        case(flag, submit(**{flag: 1}))
    for octet in (0, 143, 144, 167, 168, 196, 197, 255):
        case(f"relative validity {octet}", submit(tp_vp=["relative", octet]))
    for zone in (0, 4, 9, -4):
        case(f"absolute validity, zone {zone}", submit(tp_vp=["absolute", [27, 1, 2, 3, 4, 5, zone]]))
    for values in (
        {"VPFormat": 0}, {"VPFormat": 1, "VP": 167}, {"VPFormat": 2, "VP": 30}, {"VPFormat": 2, "VP": 30, "SingleShot": 1},
    ):
        case(f"enhanced validity {values}", submit(tp_vp=["enhanced", values]))
    for length in range(1, 21):
        case(f"{length} digits", submit(tp_da=[0, 1, "12345678901234567890"[:length]]))
    for number_ in ([2, 1, "07700900222"], [3, 9, "60901"], [6, 8, "99"], [0, 1, "*100#"]):
        case(f"number {number_}", submit(tp_da=number_))
    for pid in (0x00, 0x1F, 0x20, 0x3F, 0x40, 0x41, 0x7F, 0x80, 0xC0):
        case(f"TP-PID {pid:02x}", submit(tp_pid=pid))
    for flag in ("tp_rp", "tp_sri", "tp_lp", "tp_mms"):
        case(flag, deliver(**{flag: 1}))
    for length in range(1, 12):
        case(f"sender of {length} letters", deliver(tp_oa=[5, 0, "ACME Ltd 24"[:length]]))
    for zone in (0, 1, 9, -1, -9):
        case(f"zone {zone}", deliver(tp_scts=TIME[:6] + [zone]))

    letters = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
    for make in (submit, deliver):
        case("the alphabet", make(text=letters))
        case("the extension table", make(text="^{}\\[~]|€."))
        for length in range(0, 18):
            case(f"{length} septets", make(text="abcdefghijklmnopqrstuvwxyz"[:length]))
        case("160 septets", make(text="x" * 160))
        for dcs in (0x08, 0x18, 0xE0):
            case(f"UCS2, TP-DCS {dcs:02x}", make(tp_dcs=dcs, text="Привет ☺"))
        for dcs in (0x04, 0x16, 0xF6):
            case(f"8-bit data, TP-DCS {dcs:02x}", make(tp_dcs=dcs, data="00ff80017f"))
        for dcs in (0x10, 0x11, 0x12, 0x13, 0xC0, 0xC8, 0xD0, 0xF0, 0xF1):
            case(f"GSM 7-bit, TP-DCS {dcs:02x}", make(tp_dcs=dcs))
    headers = {
        "8-bit concatenation": [(0x00, {"MsgRef": 0xA5, "MsgParts": 3, "MsgNum": 2})],
        "16-bit concatenation": [(0x08, {"MsgRef": 0xA55A, "MsgParts": 255, "MsgNum": 1})],
        "8-bit ports": [(0x04, {"Dest": 240, "Origin": 241})],
        "16-bit ports": [(0x05, {"Dest": 2948, "Origin": 9200})],
        "message waiting": [(0x01, {"Store": 1, "ProfileID": 1, "ExtMsgType": 0, "MsgType": 2, "MsgCnt": 9})],
        "an unknown element": [(0x6E, b"\x01\x02\x03")],
        "an empty element": [(0x70, b"")],
        "several elements": [
            (0x00, {"MsgRef": 1, "MsgParts": 2, "MsgNum": 1}), (0x05, {"Dest": 1, "Origin": 2}), (0x6E, b"\xff"),
        ],
    }
    for name, elements in headers.items():
        for make in (submit, deliver):
            for length in range(1, 10):
                case(f"{name}, {length} septets behind it", make(text="abcdefghijklmn"[:length]), elements)
            case(f"{name}, UCS2", make(tp_dcs=8, text="жук"), elements)
            case(f"{name}, 8-bit data", make(tp_dcs=4, data="c0ffee"), elements)
    for outcome in (0x00, 0x01, 0x20, 0x30, 0x45, 0x46, 0x63, 0x7F):
        case(f"TP-ST {outcome:02x}", status(tp_st=outcome))
    case("of an SMS-COMMAND", status(tp_srq=1, tp_mms=1, tp_lp=1))
    case("with TP-PID", status(tp_pi=1, tp_pid=0x7F))
    case("with all that may follow", status(tp_pi=7, tp_pid=0, tp_dcs=0, text="gone"))
    for fcs in (None, 0x80, 0xC5, 0xD3, 0xFF):
        for kind, more in (("SMS-DELIVER-REPORT", {}), ("SMS-SUBMIT-REPORT", {"tp_scts": TIME})):
            failure = {} if fcs is None else {"tp_fcs": fcs}
            case(f"TP-FCS {fcs}", {"type": kind, "tp_pi": 0, **more, **failure})
            case(f"TP-FCS {fcs}, TP-PID", {"type": kind, "tp_pi": 1, "tp_pid": 0x7F, **more, **failure})
            case(f"TP-FCS {fcs}, text", {"type": kind, "tp_pi": 6, "tp_dcs": 0, "text": "why", **more, **failure})
            case(f"TP-FCS {fcs}, data", {"type": kind, "tp_pi": 7, "tp_pid": 0x7F, "tp_dcs": 0xF6, "data": "9000", **more, **failure})
    for command in (0, 1, 2, 3, 0xE0):
        for data in ("", "0102"):
            case(f"TP-CT {command:02x}, data {data}", {
                "type": "SMS-COMMAND", "tp_srr": 1, "tp_mr": 9, "tp_pid": 0, "tp_ct": command, "tp_mn": 7, "tp_da": BOB, "tp_cd": data,
            })
    smma = RP_SMMA()
    smma["Ref"].set_val(0x33)
    print(json.dumps({"name": "RP-SMMA", "hex": smma.to_bytes().hex(), "fields": {"rp_mti": 6, "rp_mr": 0x33}}))


if __name__ == "__main__":
    logging.getLogger().addHandler(Warnings())
    if sys.argv[1:] == ["write"]:
        write_all()
    else:
        for line in sys.stdin:
            try:
                answer = read(bytes.fromhex(line))
            except Exception as error:  # whatever it is, it is this reader's verdict
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer))
