// Signs in: with the token behind the # of a link, or with an identity provider.
//
// A link's token is used up when the person asks for it: whoever only looks at links, as mail
// scanners do, uses none up. A provider sends the browser back here with a code, which this page
// hands in by itself: the person has just signed in there.
import { call } from "./api.js";
import { $, ready } from "./view.js";

const BY_LINK =
  "Open the link that you were given. Whoever runs Photogate makes one with: photogate token --admin";
/** What providers answer in place of a code (RFC 6749, 4.1.2.1; OpenID Connect Core, 3.1.2.6). */
const REFUSALS = {
  access_denied: "The provider did not let you in, or you cancelled there.",
  login_required: "You are not signed in at the provider.",
  temporarily_unavailable: "The provider has no time at the moment. Try again later.",
  server_error: "The provider has a fault. Try again later.",
};

const token = location.hash.slice(1);
const back = new URLSearchParams(location.search);
/** Whether another try can only begin at the provider. */
let returned = false;

function say(words) {
  $("problem").textContent = words;
}

/** Makes one attempt to sign in; the buttons rest meanwhile. */
async function attempt(button, work) {
  button.disabled = true;
  say("");
  try {
    location.replace(await work());
  } catch (error) {
    say(`That did not work: ${error.message}.`);
    button.disabled = button === $("sign-in") && error.status === 401;
  }
}

async function byLink() {
  await call("POST", "/session", { token });
  // The token is used up; it need not stay in the history.
  return "/admin";
}

async function toProvider() {
  return (await call("POST", "/session/oidc")).url;
}

async function fromProvider() {
  const answer = { code: back.get("code"), state: back.get("state"), iss: back.get("iss") };
  await call("POST", "/session/oidc/finish", answer);
  return "/admin";
}

async function offerProvider() {
  let name;
  try {
    name = (await call("GET", "/session/oidc")).name;
  } catch {
    return; // A link works without.
  }
  if (name === null) return;
  $("provider-name").textContent = name;
  $("provider").hidden = false;
  if (token !== "") return;
  if (!returned) $("words").textContent = `Sign in with your account, or open the link that you were given.`;
  $("provider").focus();
}

async function start() {
  $("sign-in").addEventListener("click", () => attempt($("sign-in"), byLink));
  $("provider").addEventListener("click", () => attempt($("provider"), toProvider));
  if (!isSecureContext) {
    say("Browsers keep you signed in over https only, or on the machine itself: open this page there.");
  }
  if (token !== "") $("sign-in").focus();
  else {
    $("sign-in").hidden = true;
    $("words").textContent = BY_LINK;
  }
  returned = back.has("code") || back.has("error");
  if (returned) {
    // A code is of use once, and here alone: it need not stay in the address.
    history.replaceState(null, "", "/admin/sign-in");
    $("words").textContent = "You come from the provider.";
  }
  const refusal = back.get("error");
  if (refusal !== null) {
    const code = /^[a-z_]{1,40}$/.test(refusal) ? ` (${refusal})` : "";
    say(REFUSALS[refusal] ?? `The provider did not let you in${code}.`);
  } else if (returned) {
    $("words").textContent = "Signing you in …";
    await attempt($("provider"), fromProvider);
    if ($("problem").textContent === "") return;
    $("words").textContent = "You come from the provider.";
  }
  await offerProvider();
}

start();
ready();
