// Reads TPDUs with node-pdu: a line of `deliver HEX` or `submit HEX` in, a JSON object out.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

// The package is in a directory of its own, given as the one argument.
const { parse } = createRequire(`${process.argv[2]}/`)("node-pdu");

function read(octets) {
    // An empty service centre address goes before the TPDU.
    const pdu = parse(`00${octets}`);
    const header = pdu.data.parts[0]?.header?.toJSON();
    return {
        address: pdu.address.phone,
        text: pdu.data.getText(),
        time: null,
        concatenation: header?.SEGMENTS ? [header.POINTER, header.SEGMENTS, header.CURRENT] : null,
    };
}

for await (const line of createInterface({ input: process.stdin })) {
    let answer;
    try {
        answer = read(line.split(" ")[1]);
    } catch (error) {
        answer = { error: String(error) };
    }
    console.log(JSON.stringify(answer));
}
