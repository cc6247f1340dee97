/** ZIP archives with bytes that no tool writes. Offsets: APPNOTE §4.3.7, §4.3.12. */

const CENTRAL = 0x02014b50
const LOCAL = 0x04034b50
const END = 0x06054b50

export interface Places {
  /** Of the entry's header in the central directory, and of the one before its content. */
  readonly central: number
  readonly local: number
}

/** Where the headers of an entry are. @param name as it stands in the central directory. */
export function placesOf(zip: Buffer, name: string): Places {
  for (let at = directoryOf(zip); zip.readUInt32LE(at) === CENTRAL;) {
    const [names, extra, comment] = [28, 30, 32].map((field) => zip.readUInt16LE(at + field))
    if (zip.toString('latin1', at + 46, at + 46 + names!) === name) {
      return { central: at, local: zip.readUInt32LE(at + 42) }
    }
    at += 46 + names! + extra! + comment!
  }
  throw new TypeError(`the archive has no ${name}`)
}

export function directoryOf(zip: Buffer): number {
  return zip.readUInt32LE(zip.length - 22 + 16)
}

/** A copy that was changed. */
export function altered(zip: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(zip)
  if (copy.readUInt32LE(copy.length - 22) !== END) throw new TypeError('this is no archive')
  change(copy)
  return copy
}

/** The same archive with an entry renamed, in both headers. @param to as long as the name before. */
export function renamed(zip: Buffer, from: string, to: string): Buffer {
  return altered(zip, (copy) => {
    const { central, local } = placesOf(copy, from)
    if (copy.readUInt32LE(local) !== LOCAL) throw new TypeError('there is no local header')
    copy.write(to, central + 46, 'latin1')
    copy.write(to, local + 30, 'latin1')
  })
}

/** Bytes put in before an offset, with the directory and the headers behind moved on. */
export function inserted(zip: Buffer, at: number, bytes: Buffer): Buffer {
  const directory = directoryOf(zip)
  const grown = Buffer.concat([zip.subarray(0, at), bytes, zip.subarray(at)])
  grown.writeUInt32LE(directory + bytes.length, grown.length - 22 + 16)
  for (let place = directory + bytes.length; grown.readUInt32LE(place) === CENTRAL;) {
    const local = grown.readUInt32LE(place + 42)
    if (local >= at) grown.writeUInt32LE(local + bytes.length, place + 42)
    const lengths = [28, 30, 32].map((field) => grown.readUInt16LE(place + field))
    place += 46 + lengths.reduce((sum, length) => sum + length)
  }
  return grown
}
