// What went wrong, as a sentence for people.

import { limits } from "./photos.js";
import { knows, say } from "./texts.js";

export function sentenceOf(error) {
  if (!error.code) console.error(error);
  const photo = limits.current?.photo;
  const values = photo && {
    formats: photo.formats.map((format) => format.toUpperCase()).join(", "),
    megabytes: Math.floor(photo.max_bytes / 1048576),
    megapixels: Math.floor(photo.max_pixels / 1e6),
  };
  const about = `problem.${error.code}`;
  return knows(about) ? say(about, values) : say("problem.other", { detail: error.message });
}
