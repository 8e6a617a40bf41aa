// The AI SDK with @ai-sdk/openai-compatible.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { Output, generateText, isStepCount, streamText, tool } from "ai";
import { Address, City, baseURL, model as name, question, run, weather } from "./scenario.mjs";

const options = { name: "claude", baseURL, apiKey: "not-needed", supportsStructuredOutputs: true };
const model = createOpenAICompatible(options).chatModel(name);
const tools = {
  get_weather: tool({ description: "Weather", inputSchema: City, execute: async ({ city }) => weather[city] }),
};
const twoSteps = { model, prompt: question, tools, stopWhen: isStepCount(2) };

function told(steps) {
  const { finishReason, toolCalls } = steps[0];
  return { finish_reason: finishReason, calls: toolCalls.length, text: steps.at(-1).text };
}

// This SDK repeats every 429 and 5xx twice, whatever `x-should-retry` says, unless it is told not to.
const once = { model, prompt: "Hi", maxRetries: 0 };

function refused(error) {
  const { statusCode: status, message, data } = error;
  return { class: error.name, status, code: data?.error.code, message };
}

await run({
  chat: async () => {
    const { text, finishReason } = await generateText({ model, prompt: "Hi" });
    return { text, finish_reason: finishReason };
  },
  stream: async () => {
    const pieces = [];
    for await (const piece of streamText({ model, prompt: "Hi" }).textStream) pieces.push(piece);
    return { pieces: pieces.filter(Boolean) };
  },
  tools: async () => told((await generateText(twoSteps)).steps),
  tools_streamed: async () => told(await streamText(twoSteps).steps),
  structured: async () => {
    const { output } = await generateText({ model, prompt: "Where?", output: Output.object({ schema: Address }) });
    return { parsed: output };
  },
  refusal: () => generateText(once).then(() => null, refused),
  refusal_streamed: async () => {
    let error = null;
    const result = streamText({ ...once, onError: (event) => (error = event.error) });
    await result.consumeStream();
    return refused(error);
  },
});
