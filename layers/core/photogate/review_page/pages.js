// What all pages share: who is signed in, which pages are for them, and signing out.
import { call, whoAmI } from "./api.js";
import { $, element } from "./view.js";

const ROLES = ["viewer", "moderator", "admin"];

// Nothing is ever sent by a form, also before the page knows who is signed in.
for (const form of document.querySelectorAll("form:not([method=dialog])")) {
  form.addEventListener("submit", (event) => event.preventDefault());
}

const allows = (role, needed) => ROLES.indexOf(role) >= ROLES.indexOf(needed);

/** Shows the links to those pages, and the parts of this one, that the role may use. */
export function showFor(role) {
  for (const part of document.querySelectorAll("[data-needs]")) {
    part.hidden = !allows(role, part.dataset.needs);
  }
}

/**
 * Lets somebody in who may use this page; gives the session, or null when it says why not.
 *
 * `state` shows a title and words in place of the page.
 */
export async function enter(needed, state) {
  state("Loading", "");
  let session;
  try {
    session = await whoAmI();
  } catch (error) {
    if (error.status === 401 || error.status === 403) signedOut(state);
    else state("The server does not answer", "Try again in a moment.");
    return null;
  }
  $("who").textContent = session.name || session.user_id;
  showFor(session.role);
  $("sign-out").addEventListener("click", signOut);
  if (allows(session.role, needed)) return session;
  state("Not with your role", `This page needs the role ${needed}; yours is ${session.role}.`);
  return null;
}

export function signedOut(state) {
  state("You are not signed in", "Open a new sign-in link in this browser, or ");
  $("state-words").append(signInHere());
}

/** Gives a link to the page that signs in, by a provider too. */
export function signInHere() {
  const link = element("a", "sign in here");
  link.href = "/admin/sign-in";
  return link;
}

async function signOut() {
  try {
    await call("DELETE", "/session");
  } catch (error) {
    if (error.status !== 401) return;
  }
  location.replace("/admin/sign-in");
}
