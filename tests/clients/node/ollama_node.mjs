// ollama's npm package with its own defaults.
import { Ollama } from "ollama";
import { z } from "zod";
import { Address, baseURL, model, question, run, weather } from "./scenario.mjs";

const client = new Ollama({ host: baseURL.replace(/\/v1$/, "") });
const messages = [{ role: "user", content: "Hi" }];
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const pixel =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
const tools = [{ type: "function", function: { name: "get_weather", description: "Weather", parameters } }];

async function collected(chunks) {
  const message = { role: "assistant", content: "", thinking: "", tool_calls: [] };
  for await (const chunk of chunks) {
    message.content += chunk.message.content;
    message.thinking += chunk.message.thinking ?? "";
    message.tool_calls.push(...(chunk.message.tool_calls ?? []));
  }
  return message;
}

async function toolRound(ask) {
  const asked = [{ role: "user", content: question }];
  const message = await ask({ model, messages: asked, tools });
  const results = message.tool_calls.map(({ function: { name, arguments: given } }) => ({
    role: "tool",
    tool_name: name,
    content: weather[given.city],
  }));
  const final = await ask({ model, messages: [...asked, message, ...results], tools });
  return { finish_reason: "stop", calls: message.tool_calls.length, text: final.content };
}

async function refusal(ask) {
  try {
    await ask();
  } catch (error) {
    return { class: error.name, status: error.status_code, code: null, message: error.message };
  }
  return null;
}

await run({
  chat: async () => {
    const { message, done_reason } = await client.chat({ model, messages });
    return { text: message.content, finish_reason: done_reason };
  },
  stream: async () => {
    const pieces = [];
    for await (const chunk of await client.chat({ model, messages, stream: true })) pieces.push(chunk.message.content);
    return { pieces: pieces.filter(Boolean) };
  },
  tools: () => toolRound(async (body) => (await client.chat(body)).message),
  tools_streamed: () => toolRound(async (body) => collected(await client.chat({ ...body, stream: true }))),
  structured: async () => {
    const { message } = await client.chat({ model, messages, format: z.toJSONSchema(Address) });
    return { parsed: JSON.parse(message.content) };
  },
  thinking: async () => {
    const { content, thinking } = await collected(await client.chat({ model, messages, think: true, stream: true }));
    return { text: content, thinking };
  },
  picture: async () => {
    const images = [Buffer.from(pixel, "base64")];
    return { text: (await client.generate({ model, prompt: "What is it?", images })).response };
  },
  models: async () => ({ names: (await client.list()).models.map(({ name }) => name), ...(await client.show({ model })) }),
  refusal: () => refusal(() => client.chat({ model, messages })),
  refusal_streamed: () => refusal(async () => collected(await client.chat({ model, messages, stream: true }))),
});
