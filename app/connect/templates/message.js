(() => {
  const { message, origin } = document.getElementById("message").dataset;
  if (!window.opener) return;
  window.addEventListener("message", (event) => {
    if (event.origin === origin && event.data === 'kloudless:{"type":"close"}') window.close();
  });
  window.opener.postMessage(message, origin);
})();
