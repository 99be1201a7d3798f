import { placeOrder, reserve } from "./api";

export interface Item {
  article: string;
  pieces: number;
  cents: number;
}

export class Cart {
  private items: Item[] = [];

  add(item: Item): void {
    const known = this.items.find((other) => other.article === item.article);
    if (known) {
      known.pieces += item.pieces;
      return;
    }
    this.items.push(item);
  }

  total(): number {
    return this.items.reduce((sum, item) => sum + item.cents * item.pieces, 0);
  }

  async checkout(codes: string[] = []): Promise<string> {
    this.items.forEach(async (item) => {
      await reserve(item.article, item.pieces);
    });
    return placeOrder(this.items, this.total(), codes);
  }
}
