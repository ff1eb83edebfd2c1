// Send each request of a list through an SDK of npm; print status and SHA-256 of each answer.
import {createHash} from "node:crypto";
import {readFileSync} from "node:fs";
import Anthropic from "@anthropic-ai/sdk";
import {getFromApi, postToApi} from "@ai-sdk/provider-utils";
import OpenAI from "openai";

const [, , base, list, name] = process.argv;
let seen = "";

// The SDKs may be given a fetch; this one notes what the SDK gets.
const noting = async (url, init) => {
  const response = await fetch(url, {...init, redirect: "manual"});
  const bytes = Buffer.from(await response.arrayBuffer());
  seen = `${response.status} ${createHash("sha256").update(bytes).digest("hex")}`;
  const hasBody = ![204, 304].includes(response.status);
  return new Response(hasBody ? bytes : null, {status: response.status, headers: response.headers});
};

const byStainless = (SDK) => {
  const client = new SDK({apiKey: "k", baseURL: base, fetch: noting, maxRetries: 0});
  return ({method, url, headers, body}) =>
    client.request({method: method.toLowerCase(), path: url, headers, body}).asResponse();
};

const clients = {
  openai: () => byStainless(OpenAI),
  anthropic: () => byStainless(Anthropic),
  // What @ai-sdk/alibaba sends everything with.
  alibaba: () => ({method, url, headers, body}) => {
    const handler = async ({response}) => ({value: new Error(await response.text())});
    const handlers = {successfulResponseHandler: handler, failedResponseHandler: handler};
    const request = {url, headers, fetch: noting, ...handlers};
    if (method === "GET") return getFromApi(request);
    if (method === "POST") return postToApi({...request, body: {content: body, values: {}}});
    return noting(url, {method, headers, body});
  },
};

const send = clients[name]();
for (const line of readFileSync(list, "utf8").trim().split("\n")) {
  const {method, path, headers, body} = JSON.parse(line);
  const data = ["GET", "HEAD"].includes(method) ? undefined : Buffer.from(body, "base64");
  seen = "nothing";
  await send({method, url: base + path, headers, body: data}).catch(() => undefined);
  console.log(seen);
}
