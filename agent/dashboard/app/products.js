// What the status says of licenses, put together by product.

import { collator } from "./i18n.js";

/** Titles of products, as the licenses have them; a product without one is called by its id. */
export function titles(licenses) {
  const names = new Map();
  for (const license of licenses ?? []) if (license.title && (license.state === "active" || !names.has(license.product))) names.set(license.product, license.title);
  return (product) => names.get(product) ?? product;
}

/** Products with how many seats of each are owned, in use, out of the house, free, and who waits. */
export function products(status, waiting, title) {
  const all = new Map();
  for (const pool of status?.pools ?? []) {
    const product = all.get(pool.product) ?? { product: pool.product, versions: [], owned: 0, online: 0, borrowed: 0, out: 0, free: 0, over: 0, waiting: 0 };
    all.set(pool.product, product);
    if (!product.versions.includes(pool.version)) product.versions.push(pool.version);
    product.owned += pool.owned;
    product.online += pool.online;
    product.borrowed += pool.borrowed + pool.parked + pool.grace;
    product.out += pool.offline;
    product.free += pool.free;
    product.over += pool.over;
  }
  for (const wait of waiting ?? []) if (all.has(wait.product)) all.get(wait.product).waiting += 1;
  return [...all.values()]
    .map((product) => ({ ...product, title: title(product.product), used: product.online + product.borrowed, here: Math.max(0, product.borrowed - product.out) }))
    .sort((a, b) => collator().compare(a.title, b.title));
}

/** Whether a license lets its seats be borrowed, and for how many days at most. */
export function borrowTerms(license) {
  const days = /^\s*borrow\s*=\s*\{[^}]*\bmax_days\s*=\s*(\d+)/m.exec(license.text);
  return days ? Number(days[1]) : null;
}
