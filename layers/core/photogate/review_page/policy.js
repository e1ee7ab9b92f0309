// The policy in force, in words.
import { call } from "./api.js";
import { number } from "./bars.js";
import { $, element } from "./view.js";

export async function openPolicy() {
  $("policy-text").replaceChildren(element("p", "Loading."));
  $("policy").showModal();
  try {
    $("policy-text").replaceChildren(...text(await call("GET", "/review/policy")));
  } catch (error) {
    $("policy-text").replaceChildren(element("p", `It cannot be shown: ${error.message}.`));
  }
}

function text(policy) {
  const list = element("ol", null, "rules");
  for (const rule of policy.rules) {
    const says = [];
    if (rule.rejected !== null) says.push(`${rule.worse} ${number(rule.rejected)}: rejected as ${rule.reason}`);
    if (rule.to_a_person !== null) says.push(`${rule.worse} ${number(rule.to_a_person)}: a person looks (${rule.reason})`);
    const entry = element("li");
    entry.append(element("b", rule.measure), element("p", says.join("; ")));
    list.append(entry);
  }
  return [
    element("p", `${policy.policy}. The first rule that rejects counts; else the first that asks a person.`),
    list,
    element("p", `Where one of these was not measured, a person looks: ${policy.needed.join(", ")}.`),
  ];
}
