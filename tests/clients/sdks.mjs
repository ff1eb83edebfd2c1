// Ask through the SDKs of npm: plain, streamed, with a tool, and what is on no cassette.
import OpenAI from "openai";
import Anthropic from "@anthropic-ai/sdk";
import {createAlibaba} from "@ai-sdk/alibaba";
import {APICallError, generateText, streamText} from "ai";

const messages = [{role: "user", content: "What is the weather in Hangzhou?"}];
const tools = [{type: "function", function: {name: "get_weather", description: "The weather",
  parameters: {type: "object", properties: {city: {type: "string"}}, required: ["city"]}}}];
const model = "qwen-plus";
const results = {};

const client = new OpenAI({maxRetries: 3});
results.plain = (await client.chat.completions.create({model, messages})).choices[0].message.content;
results.tool = (await client.chat.completions.create({model, messages, tools}))
  .choices[0].message.tool_calls?.map((call) => call.function);
results.stream = "";
for await (const chunk of await client.chat.completions.create({model, messages, stream: true})) {
  results.stream += chunk.choices[0]?.delta?.content ?? "";
}

const alibaba = createAlibaba({baseURL: process.env.DASHSCOPE_COMPATIBLE_BASE_URL,
  apiKey: process.env.DASHSCOPE_API_KEY});
results.aiPlain = (await generateText({model: alibaba(model), prompt: "Hello", maxRetries: 0})).text;
results.aiStream = "";
for await (const text of streamText({model: alibaba(model), prompt: "Hello"}).textStream) {
  results.aiStream += text;
}

const claude = new Anthropic({maxRetries: 3});
const request = {model: "claude-sonnet-4-5", max_tokens: 1024, messages};
results.anthropic = (await claude.messages.create(request)).content;
results.anthropicStream = (await claude.messages.stream({...request, tools: [{name: "get_weather",
  input_schema: tools[0].function.parameters}]}).finalMessage()).content;

if (process.env.MISSES) {
  const unknown = [{role: "user", content: "never recorded"}];
  await client.chat.completions.create({model, messages: unknown}).catch((error) => {
    results.openaiMiss = [error instanceof OpenAI.NotFoundError, error.status, error.code];
  });
  await claude.messages.create({model, max_tokens: 9, messages: unknown}).catch((error) => {
    results.anthropicMiss = [error instanceof Anthropic.NotFoundError, error.status,
      error.error?.type, error.error?.error?.type];
  });
  await generateText({model: alibaba(model), prompt: "never", maxRetries: 3}).catch((error) => {
    results.aiMiss = [APICallError.isInstance(error), error.statusCode, error.isRetryable];
  });
}
console.log(JSON.stringify(results));
