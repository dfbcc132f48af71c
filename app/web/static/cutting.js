// A square around a face. box: x, y, width and height in pixels of the upright photo.

const SIDE_PX = 320;
const ROOM = 1.6; // of the face's box: enough around a face for it to be found again

export async function cutOut(file, [x, y, width, height]) {
  const photo = await createImageBitmap(file);
  const side = Math.min(ROOM * Math.max(width, height), photo.width, photo.height);
  const left = Math.min(Math.max(0, x + width / 2 - side / 2), photo.width - side);
  const top = Math.min(Math.max(0, y + height / 2 - side / 2), photo.height - side);
  const pixels = Math.round(Math.min(side, SIDE_PX));
  const canvas = Object.assign(document.createElement("canvas"), { width: pixels, height: pixels });
  canvas.getContext("2d").drawImage(photo, left, top, side, side, 0, 0, pixels, pixels);
  photo.close();
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
}
