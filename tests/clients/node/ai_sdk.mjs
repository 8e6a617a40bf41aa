// The AI SDK with @ai-sdk/openai-compatible: chat completions.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { runWith } from "./ai_sdk_scenarios.mjs";
import { baseURL, model } from "./scenario.mjs";

const options = { name: "claude", baseURL, apiKey: "not-needed", supportsStructuredOutputs: true };
await runWith(createOpenAICompatible(options).chatModel(model));
