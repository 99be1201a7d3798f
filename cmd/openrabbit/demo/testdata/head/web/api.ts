import type { Item } from "./cart";

async function post(path: string, body: unknown): Promise<Response> {
  const response = await fetch(path, { method: "POST", body: JSON.stringify(body) });
  if (!response.ok) {
    throw new Error(`${path}: ${response.status}`);
  }
  return response;
}

export async function reserve(article: string, pieces: number): Promise<void> {
  await post("/api/reserve", { article, pieces });
}

export async function placeOrder(items: Item[], cents: number, codes: string[]): Promise<string> {
  const response = await post("/api/orders", { items, cents, codes });
  return (await response.json()).id;
}
