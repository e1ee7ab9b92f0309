// Fills the golden files with the scores that nsfwjs itself gives, in Node:
//
//   npm install nsfwjs@4.3.0 @tensorflow/tfjs@4.22.0     (in a folder outside)
//   node …/tests/model/golden/make_golden.mjs …/tests/model/golden/mobilenet_v2.json
//
// `cuts.py` cuts the tensors, so that both sides see the same bytes; `python` on the
// PATH has to be the project's. The backend is plain JavaScript, which takes a second
// a picture (inception_v3: fifteen) and needs no native code.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

// Packages are looked for where the command runs, and nothing is installed here.
const require = createRequire(join(process.cwd(), "package.json"));
const tf = require("@tensorflow/tfjs");
const nsfwjs = require("nsfwjs");

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");
const names = {
  mobilenet_v2: "MobileNetV2",
  mobilenet_v2_mid: "MobileNetV2Mid",
  inception_v3: "InceptionV3",
};

tf.enableProdMode();
await tf.setBackend("cpu");
for (const path of process.argv.slice(2)) {
  const golden = JSON.parse(readFileSync(path, "utf8"));
  const cuts = ["-m", "tests.model.golden.cuts", resolve(path)];
  const bytes = execFileSync("python", cuts, { cwd: root, maxBuffer: 1 << 28 });
  const model = await nsfwjs.load(names[golden.model], { size: golden.size });
  const length = golden.size * golden.size * 3;
  for (const [index, entry] of golden.cuts.entries()) {
    const pixels = bytes.subarray(index * length, (index + 1) * length);
    const image = tf.tensor3d(new Int32Array(pixels), [golden.size, golden.size, 3], "int32");
    const scores = await model.classify(image, 5);
    entry.sha256 = createHash("sha256").update(pixels).digest("hex");
    entry.scores = Object.fromEntries(
      scores
        .map(({ className, probability }) => [className.toLowerCase(), probability])
        .sort(([left], [right]) => (left < right ? -1 : 1)),
    );
    image.dispose();
  }
  golden.made_with = { nsfwjs: "4.3.0", tfjs: tf.version.tfjs, backend: tf.getBackend() };
  writeFileSync(path, JSON.stringify(golden, null, 1) + "\n");
}
