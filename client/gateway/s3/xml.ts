// Writes the XML documents of answers, from plain objects.

import { XMLBuilder } from 'fast-xml-parser'
import type { Pace } from './pace.ts'

const namespace = 'http://s3.amazonaws.com/doc/2006-03-01/'

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\'': '&apos;' }

/** Control characters that XML 1.0 does not know are written as references, as AWS does; `encoding-type=url` avoids them. */
const escaped = (text: string): string =>
  text.replaceAll(/[&<>"'\u0000-\u0008\u000b-\u001f\u007f\ufffe\uffff]/g, // oxlint-disable-line no-control-regex
    char => entities[char] ?? `&#x${char.charCodeAt(0).toString(16)};`)

const builder = new XMLBuilder({
  ignoreAttributes: false, attributeNamePrefix: '@', processEntities: false, suppressEmptyNode: true,
  tagValueProcessor: (_name, value) => escaped(String(value)), attributeValueProcessor: (_name, value) => escaped(String(value)),
})

/** Element content: text, elements, or a list of elements of one name. `@name`: an attribute. Undefined elements are left out. */
export type XmlContent = string | number | boolean | undefined | readonly XmlContent[] | { readonly [name: string]: XmlContent }

/** A document whose root is in the namespace of S3. */
export const document = (root: string, content: { readonly [name: string]: XmlContent }): string =>
  plain(root, { '@xmlns': namespace, ...content })

/** A document without a namespace: errors. */
export const plain = (root: string, content: { readonly [name: string]: XmlContent }): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n${builder.build({ [root]: defined(content) }) as string}`

/** As `document`, for many elements: other requests are answered between pieces of it. */
export async function documentInPieces(
  root: string, elements: readonly { readonly [name: string]: XmlContent }[], pace: Pace,
): Promise<string> {
  const [begin, end] = document(root, { '#text': '|' }).split('|') as [string, string]
  const pieces = [begin]
  for (const element of elements) {
    const piece = builder.build(defined(element)) as string
    pieces.push(piece)
    await pace.spend(piece.length)
  }
  return [...pieces, end].join('')
}

function defined(content: XmlContent): unknown {
  if (Array.isArray(content)) return content.map(defined)
  if (typeof content !== 'object') return content
  return Object.fromEntries(Object.entries(content).filter(([, value]) => value !== undefined).map(([name, value]) =>
    [name, defined(value)]))
}
