// One question to the server, answered piece by piece.

async function* lines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    text += part.value;
    const whole = text.split("\n");
    text = whole.pop();
    yield* whole;
  }
}

async function failure(response) {
  const told = await response.json().catch(() => null);
  return new Error(told?.error?.message ?? `The server answered ${response.status}.`);
}

// Yields the chunks of an answer. Throws an Error with words for people.
export async function* ask(body, signal) {
  const response = await fetch(new URL("/v1/chat/completions", location.origin), {
    method: "POST", body: JSON.stringify({...body, stream: true, stream_options: {include_usage: true}}),
    headers: {"Content-Type": "application/json"}, signal,
  }).catch(error => { throw error.name === "AbortError" ? error : new Error("The server is not reachable."); });
  if (!response.ok) throw await failure(response);
  try {
    for await (const line of lines(response.body)) {
      if (!line.startsWith("data: ") || line === "data: [DONE]") continue;
      const chunk = JSON.parse(line.slice(6));
      if (chunk.error) throw new Error(chunk.error.message);
      yield chunk;
    }
  } catch (error) {
    throw error instanceof TypeError ? new Error("The server was lost in the midst of its answer.") : error;
  }
}
