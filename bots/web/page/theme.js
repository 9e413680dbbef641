// Runs before the first paint, so that nobody who reads in the dark is dazzled.
try {
  const theme = localStorage.getItem("conch.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is forbidden here: the device's own setting stays.
}
