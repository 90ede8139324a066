// Values of extended attributes, which are bytes in base64, as text. Pure.

export function attributeText(value: string): string {
  const bytes = Uint8Array.from(atob(value), char => char.charCodeAt(0))
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    if (!text.includes('\0')) return text
  } catch {
    // Not UTF-8.
  }
  return `0x${[...bytes].map(byte => byte.toString(16).padStart(2, '0')).join('')}`
}

export const bytesFrom = (text: string): string => btoa([...new TextEncoder().encode(text)].map(byte => String.fromCharCode(byte)).join(''))
