// Passkeys: a form with data-passkey asks the browser to make one ("create") or use one ("get") before it is sent.
"use strict";

const CHALLENGES = { create: "/security/passkeys/begin", get: "/passkey/challenge" };

function bytes(text) {
  const padded = text.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(padded), (letter) => letter.charCodeAt(0));
}

function text(buffer) {
  const letters = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function readable(asked) {
  const options = { ...asked, challenge: bytes(asked.challenge) };
  if (options.user) options.user = { ...options.user, id: bytes(options.user.id) };
  for (const name of ["excludeCredentials", "allowCredentials"]) {
    if (options[name]) options[name] = options[name].map((one) => ({ ...one, id: bytes(one.id) }));
  }
  return options;
}

function sendable(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = text(credential.response[name]);
  }
  return JSON.stringify({
    id: credential.id, rawId: text(credential.rawId), type: credential.type, response,
    clientExtensionResults: credential.getClientExtensionResults(),
  });
}

async function challenge(kind, form) {
  const token = form.elements.csrfmiddlewaretoken.value;
  const answer = await fetch(CHALLENGES[kind], { method: "POST", headers: { "X-CSRFToken": token } });
  if (answer.redirected) { location.assign(answer.url); return null; }
  if (!answer.ok) throw new Error(window.portal.reason(answer.status, Number(answer.headers.get("Retry-After"))));
  return readable((await answer.json()).publicKey);
}

function sentence(error) {
  if (error.name === "InvalidStateError") return "This device has a passkey for your account already.";
  if (error.name === "NotAllowedError") return "No passkey was given. Try again, or use another way.";
  return error.message;
}

async function send(form) {
  const problem = form.querySelector(".problem[hidden], .problem:last-of-type");
  const button = form.querySelector("button[type=submit]");
  button.disabled = true;
  problem.hidden = true;
  try {
    const publicKey = await challenge(form.dataset.passkey, form);
    if (!publicKey) return;
    form.elements.credential.value = sendable(await navigator.credentials[form.dataset.passkey]({ publicKey }));
    form.submit();
  } catch (error) {
    problem.textContent = sentence(error);
    problem.hidden = false;
    button.disabled = false;
  }
}

document.addEventListener("DOMContentLoaded", () => {
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    if (!window.PublicKeyCredential) continue;
    form.hidden = false;
    form.addEventListener("submit", (event) => { event.preventDefault(); send(form); });
  }
});
