// Send each request of a list to a server; print status and SHA-256 of the body of each answer.
import {createHash} from "node:crypto";
import {readFileSync} from "node:fs";
import http from "node:http";

const [, , base, list] = process.argv;

// fetch allows no body with GET, and node:http allows all that is on a cassette.
const send = ({method, path, headers, body}) => new Promise((resolve, reject) => {
  const request = http.request(base + path, {method, headers}, async (response) => {
    const hash = createHash("sha256");
    for await (const chunk of response) hash.update(chunk);
    resolve(`${response.statusCode} ${hash.digest("hex")}`);
  });
  request.on("error", reject);
  request.end(Buffer.from(body, "base64"));
});

const fetched = async ({method, path, headers, body}) => {
  const data = ["GET", "HEAD"].includes(method) ? undefined : Buffer.from(body, "base64");
  const response = await fetch(base + path, {method, headers, body: data, redirect: "manual"});
  const bytes = Buffer.from(await response.arrayBuffer());
  return `${response.status} ${createHash("sha256").update(bytes).digest("hex")}`;
};

for (const line of readFileSync(list, "utf8").trim().split("\n")) {
  const one = JSON.parse(line);
  console.log(await (process.env.PLAIN_HTTP ? send(one) : fetched(one)));
}
