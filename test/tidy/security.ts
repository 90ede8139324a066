// Parser of docs/security.md: its sentences, each of which is proven by a test or is advice (security.test.ts).

export interface Sentence { readonly about: string; readonly text: string }

/** Rows of the table by their first cell, and points of the list. */
export function sentencesOf(page: string): Sentence[] {
  const rows = [...page.matchAll(/^\| (?!what \|)([^|-][^|]*?) \| (.*) \|$/gm)].map(([, about, said]) => ({ about: about!, said: said! }))
  const points = page
    .slice(page.indexOf('## What is not'))
    .split(/^- /m)
    .slice(1)
    .map(point => ({ about: 'what is not', said: point.trim().replaceAll(/\s+/g, ' ') }))
  return [...rows, ...points].flatMap(({ about, said }) => said.split(/(?<=\.(?:\*\*)?) (?=[A-Z`*])/).map(text => ({ about, text })))
}
