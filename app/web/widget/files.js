// Files as somebody chose them: which are pictures, and what the protected ones are called.

const HEAD_BYTES = 512;
const UNNAMED = ["", "application/octet-stream"];
const ENDINGS = { jpeg: ["jpg", "jpeg", "jpe", "jfif"], heic: ["heic", "heif"] };

// Whether it may show a face: by its type, or by its first bytes. Systems name the types of few formats, so one without a
// name may, unless it is a PDF or text, which has no control characters.
export async function isPicture(file) {
  if (/^(image|video)\//.test(file.type)) return true;
  const head = String.fromCharCode(...new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer()));
  if (UNNAMED.includes(file.type)) return !/^(%PDF|[^\0-\x08\x0e-\x1a\x1c-\x1f\x7f]*$)/.test(head);
  return /^(\xff\xd8\xff|\x89PNG|GIF8|RIFF....WEBP|BM|II\*\0|MM\0\*|....ftyp)/s.test(head);
}

export const isFilm = (file) => file.type.startsWith("video/");

// `picture` under the name of `original`, with the ending of its own format where that is another.
export function named(picture, original) {
  const format = picture.type.split("/")[1];
  const endings = ENDINGS[format] ?? [format];
  const [, stem, ending] = original.name.match(/^(.+?)(?:\.([^.]*))?$/s) ?? [null, "photo", ""];
  const name = endings.includes(ending?.toLowerCase()) ? original.name : `${stem}.${endings[0]}`;
  return new File([picture], name, { type: picture.type });
}
