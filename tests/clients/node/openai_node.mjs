// openai-node with its own defaults, two retries among them.
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { Address, baseURL, model, question, run, weather } from "./scenario.mjs";

const client = new OpenAI({ baseURL, apiKey: "not-needed" });
const hello = [{ role: "user", content: "Hi" }];
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = [{ type: "function", function: { name: "get_weather", description: "Weather", parameters } }];

async function toolRound(ask) {
  const messages = [{ role: "user", content: question }];
  const { message, finish_reason } = (await ask({ model, messages, tools })).choices[0];
  const results = message.tool_calls.map((call) => ({
    role: "tool",
    tool_call_id: call.id,
    content: weather[JSON.parse(call.function.arguments).city],
  }));
  const final = await ask({ model, messages: [...messages, message, ...results], tools });
  return { finish_reason, calls: message.tool_calls.length, text: final.choices[0].message.content };
}

async function refusal(fields) {
  try {
    await client.chat.completions.create({ model, messages: hello, ...fields });
  } catch (error) {
    const { status, code, message } = error;
    return { class: error.constructor.name, status, code, message };
  }
  return null;
}

await run({
  chat: async () => {
    const { message, finish_reason } = (await client.chat.completions.create({ model, messages: hello })).choices[0];
    return { text: message.content, finish_reason };
  },
  stream: async () => {
    const pieces = [];
    for await (const chunk of await client.chat.completions.create({ model, messages: hello, stream: true })) {
      pieces.push(chunk.choices[0]?.delta.content ?? "");
    }
    return { pieces: pieces.filter(Boolean) };
  },
  tools: () => toolRound((body) => client.chat.completions.create(body)),
  tools_streamed: () => toolRound((body) => client.chat.completions.stream(body).finalChatCompletion()),
  structured: async () => {
    const response_format = zodResponseFormat(Address, "address");
    const completion = await client.chat.completions.parse({ model, messages: hello, response_format });
    return { parsed: completion.choices[0].message.parsed };
  },
  refusal: () => refusal({}),
  refusal_streamed: () => refusal({ stream: true }),
});
