// Signs in with the token behind the # of the link, when the person asks for it: whoever only
// looks at links, as mail scanners do, uses none up.
import { call } from "./api.js";

const token = location.hash.slice(1);
const button = document.getElementById("sign-in");
const problem = document.getElementById("problem");

if (token === "") {
  document.getElementById("words").textContent =
    "Open the link that you were given. Whoever runs Photogate makes one with: photogate token --admin";
  button.hidden = true;
}

button.focus();
button.addEventListener("click", async () => {
  button.disabled = true;
  problem.textContent = "";
  try {
    await call("POST", "/session", { token });
    // The token is used up; it need not stay in the history.
    location.replace("/admin");
  } catch (error) {
    problem.textContent = `That did not work: ${error.message}.`;
    button.disabled = error.status === 401;
  }
});
