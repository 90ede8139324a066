// XML of S3: answers are built from plain objects, requests are parsed into them. Bounds: a request's document has a size, no document type
// and so no entities of its own, and only elements that the operation asks for are looked at.

import { XMLBuilder, XMLParser, XMLValidator } from 'fast-xml-parser'
import { S3Error } from './errors.ts'

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

function defined(content: XmlContent): unknown {
  if (Array.isArray(content)) return content.map(defined)
  if (typeof content !== 'object') return content
  return Object.fromEntries(Object.entries(content).filter(([, value]) => value !== undefined).map(([name, value]) =>
    [name, defined(value)]))
}

const malformed = (why: string): S3Error =>
  new S3Error('MalformedXML', `The XML you provided was not well-formed or did not validate against our published schema: ${why}`)

/** Parsed element: text, or elements by name, each a list. */
export type Parsed = string | { readonly [name: string]: readonly Parsed[] }

const parser = new XMLParser({
  ignoreAttributes: true, parseTagValue: false, trimValues: false, removeNSPrefix: true, htmlEntities: true, processEntities: true,
  isArray: () => true, ignoreDeclaration: true, ignorePiTags: true,
})

/** Elements of the document's root, which has this name. Throws MalformedXML. */
export function parse(text: string, root: string): { readonly [name: string]: readonly Parsed[] } {
  // Entities are declared in a document type; without one there is nothing to expand.
  if (/<!(?!--|\[CDATA\[)/.test(text)) throw malformed('it has a document type')
  const valid = XMLValidator.validate(text)
  if (valid !== true) throw malformed(valid.err.msg)
  let parsed: { readonly [name: string]: unknown }
  try {
    parsed = parser.parse(text) as typeof parsed
  } catch (error) {
    throw malformed((error as Error).message)
  }
  const found = (parsed[root] as readonly Parsed[] | undefined)?.[0]
  if (found === undefined) throw malformed(`its root is not ${root}`)
  return typeof found === 'string' ? {} : found
}

/** Text of the first element of this name; undefined if there is none. */
export function textOf(element: Parsed, name: string): string | undefined {
  const found = typeof element === 'string' ? undefined : element[name]?.[0]
  if (found === undefined) return undefined
  if (typeof found === 'string') return found
  const inner = found['#text'] as unknown as string | readonly string[] | undefined
  return typeof inner === 'string' ? inner : inner?.join('') ?? ''
}

export const elementsOf = (element: Parsed, name: string): readonly Parsed[] => (typeof element === 'string' ? [] : element[name] ?? [])
