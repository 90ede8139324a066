// Writes the XML documents of answers, from plain objects. A page of 1,000 keys is written in one turn, so that an element costs no more
// than its text.

import type { Pace } from './pace.ts'

const namespace = 'http://s3.amazonaws.com/doc/2006-03-01/'

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\'': '&apos;' }

/** Control characters that XML 1.0 does not know are written as references, as AWS does; `encoding-type=url` avoids them. */
const escaped = (text: string): string =>
  text.replaceAll(/[&<>"'\u0000-\u0008\u000b-\u001f\u007f\ufffe\uffff]/g, // oxlint-disable-line no-control-regex
    char => entities[char] ?? `&#x${char.charCodeAt(0).toString(16)};`)

/** Element content: text, elements, or a list of elements of one name. `@name`: an attribute. Undefined elements are left out. */
export type XmlContent = string | number | boolean | undefined | readonly XmlContent[] | { readonly [name: string]: XmlContent }

/** A document whose root is in the namespace of S3. */
export const document = (root: string, content: { readonly [name: string]: XmlContent }): string =>
  plain(root, { '@xmlns': namespace, ...content })

/** A document without a namespace: errors. */
export const plain = (root: string, content: { readonly [name: string]: XmlContent }): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n${element(root, content)}`

/** As `document`, for many elements: other requests are answered between pieces of it. */
export async function documentInPieces(
  root: string, elements: readonly { readonly [name: string]: XmlContent }[], pace: Pace,
): Promise<string> {
  const [begin, end] = document(root, { '#text': '|' }).split('|') as [string, string]
  const pieces = [begin]
  for (const each of elements) {
    const piece = within(each)
    pieces.push(piece)
    await pace.spend(piece.length)
  }
  return [...pieces, end].join('')
}

type XmlElements = { readonly [name: string]: XmlContent }

/** One without content is written in the short form. */
function element(name: string, content: XmlContent): string {
  if (content === undefined) return ''
  if (typeof content === 'string') return whole(name, escaped(content))
  if (typeof content !== 'object') return `<${name}>${content}</${name}>`
  if (isList(content)) {
    let text = ''
    for (const each of content) text += element(name, each)
    return text
  }
  let head = name
  for (const key in content)
    if (isAttribute(key) && content[key] !== undefined) head += ` ${key.slice(1)}="${escaped(String(content[key]))}"`
  return whole(name, within(content), head)
}

const whole = (name: string, text: string, head = name): string => (text === '' ? `<${head}/>` : `<${head}>${text}</${name}>`)

const isAttribute = (key: string): boolean => key.charCodeAt(0) === 0x40

/** `#text`: text among the elements. */
function within(content: XmlElements): string {
  let text = ''
  for (const name in content) {
    if (name === '#text') text += escaped(String(content[name]))
    else if (!isAttribute(name)) text += element(name, content[name])
  }
  return text
}

const isList = (content: XmlContent): content is readonly XmlContent[] => Array.isArray(content)
