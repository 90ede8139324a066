// Iterates over a paged listing: passes `next` of each page to the following call.

/** The pages in order. `ask` gets the `next` of the page before, undefined for the first one; the caller may stop after any page. */
export async function* paged<Page extends { readonly next?: unknown }>(
  ask: (after: Exclude<Page['next'], undefined> | undefined) => Promise<Page>,
): AsyncGenerator<Page, void, undefined> {
  let after: Exclude<Page['next'], undefined> | undefined
  do {
    const page = await ask(after)
    yield page
    after = page.next as typeof after
  } while (after !== undefined)
}
