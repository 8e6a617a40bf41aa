// The AI SDK with @ai-sdk/openai and its default model: responses.
import { createOpenAI } from "@ai-sdk/openai";
import { runWith } from "./ai_sdk_scenarios.mjs";
import { baseURL, model } from "./scenario.mjs";

await runWith(createOpenAI({ baseURL, apiKey: "not-needed" })(model));
