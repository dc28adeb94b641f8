// Times in words, kept current while the page is open, and days and times of day on the reader's own clock.
const UNITS = [
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
];
const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

export function ago(date, now = Date.now()) {
  const seconds = (date.getTime() - now) / 1000;
  for (const [unit, size] of UNITS) {
    if (Math.abs(seconds) >= size) return relative.format(Math.round(seconds / size), unit);
  }
  return "just now";
}

function writeTimes() {
  for (const element of document.querySelectorAll("time[data-relative]")) {
    const date = new Date(element.dateTime);
    const text = ago(date);
    element.title ||= date.toLocaleString();
    if (element.textContent !== text) element.textContent = text;
  }
  for (const element of document.querySelectorAll("time:is([data-clock], [data-day]):not([title])")) {
    const date = new Date(element.dateTime);
    element.title = date.toLocaleString();
    element.textContent = "clock" in element.dataset ? date.toLocaleTimeString("en-GB") : day.format(date);
  }
}

export function startRelativeTimes() {
  writeTimes();
  setInterval(writeTimes, 20_000);
  document.addEventListener("swap", writeTimes);
}
