console.log(`post for ${process.env.STATE_who}`);
