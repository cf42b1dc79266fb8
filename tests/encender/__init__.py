"""Another engine's ``$apply`` beside ours: https://www.npmjs.com/package/encender"""
