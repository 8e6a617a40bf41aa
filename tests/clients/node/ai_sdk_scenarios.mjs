// What the AI SDK does with any model.
import { Output, generateText, isStepCount, streamText, tool } from "ai";
import { Address, City, question, run, weather } from "./scenario.mjs";

const tools = {
  get_weather: tool({ description: "Weather", inputSchema: City, execute: async ({ city }) => weather[city] }),
};

function told(steps) {
  const { finishReason, toolCalls } = steps[0];
  return { finish_reason: finishReason, calls: toolCalls.length, text: steps.at(-1).text };
}

function refused(error) {
  const { statusCode: status, message, data } = error;
  return { class: error.name, status, code: data?.error.code ?? null, message };
}

export async function runWith(model) {
  const twoSteps = { model, prompt: question, tools, stopWhen: isStepCount(2) };
  // This SDK repeats every 429 and 5xx twice, whatever `x-should-retry` says, unless it is told not to.
  const once = { model, prompt: "Hi", maxRetries: 0 };
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
}
