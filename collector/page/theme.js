// Before anything is drawn, so that a dark page does not flash: hence no module.
// applyTheme('auto' | 'light' | 'dark') is also what the page's button calls.
{
  const system = matchMedia('(prefers-color-scheme: dark)');
  const root = document.documentElement;

  window.applyTheme = (choice) => {
    root.dataset.choice = choice;
    root.dataset.theme = choice === 'auto' ? (system.matches ? 'dark' : 'light') : choice;
    dispatchEvent(new Event('theme'));
  };

  let kept = null;
  try {
    kept = localStorage.getItem('theme');
  } catch {
    // A browser that keeps nothing for us: the system's theme it is.
  }
  window.applyTheme(['light', 'dark'].includes(kept) ? kept : 'auto');
  system.addEventListener('change', () => window.applyTheme(root.dataset.choice));
}
