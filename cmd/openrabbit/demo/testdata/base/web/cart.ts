import { placeOrder, reserve } from "./api";

export interface Item {
  article: string;
  pieces: number;
  cents: number;
}

export class Cart {
  private items: Item[] = [];

  add(item: Item): void {
    this.items.push(item);
  }

  total(): number {
    return this.items.reduce((sum, item) => sum + item.cents * item.pieces, 0);
  }

  async checkout(): Promise<string> {
    for (const item of this.items) {
      await reserve(item.article, item.pieces);
    }
    return placeOrder(this.items, this.total());
  }
}
