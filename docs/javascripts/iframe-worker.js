// Browsers start no worker for a page that is opened from a folder. There, this class runs the worker's script in a
// hidden frame instead, which is enough for the search: messages to it and back, in order.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.waiting = [];
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      this.inside = frame.contentWindow;
      // The worker posts to what it takes for its page; that is this object.
      this.inside.postMessage = data => this.dispatchEvent(new MessageEvent("message", { data }));
      const script = frame.contentDocument.createElement("script");
      script.src = new URL(url, location.href);
      script.onload = () => {
        this.isReady = true;
        this.waiting.splice(0).forEach(data => this.deliver(data));
      };
      frame.contentDocument.body.append(script);
    }

    postMessage(data) {
      this.isReady ? this.deliver(data) : this.waiting.push(data);
    }

    deliver(data) {
      this.inside.dispatchEvent(new this.inside.MessageEvent("message", { data }));
    }

    terminate() {
      this.inside.frameElement.remove();
    }
  };
}
