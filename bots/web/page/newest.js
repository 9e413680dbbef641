// The newest stays in sight for whoever is there; whoever goes up to read, however little, is left alone.

const NEAR = 60; // pixels from the end

const scroll = document.getElementById("scroll");
const thread = document.getElementById("thread");
const button = document.getElementById("newest");
let following = true;
let top = 0;

const below = () => scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight;

// Changes the conversation.
export function patch(change) {
  scrolled(); // perhaps nobody has told us yet
  change();
  stay();
}

export function toNewest() {
  following = true;
  scroll.scrollTop = thread.hasChildNodes() ? scroll.scrollHeight : 0; // what stands there instead is read from its top
  top = scroll.scrollTop;
  offer();
}

function stay() {
  if (following) toNewest();
  else offer();
}

function scrolled() {
  if (below() < 2) following = true; // also where the conversation has become shorter
  else if (scroll.scrollTop < top) following = false;
  else if (scroll.scrollTop > top && below() < NEAR) following = true;
  top = scroll.scrollTop;
  offer();
}

function offer() {
  button.hidden = below() < NEAR;
}

scroll.addEventListener("scroll", scrolled, { passive: true });
button.addEventListener("click", toNewest);
new ResizeObserver(stay).observe(scroll); // a longer question, a keyboard on the screen
