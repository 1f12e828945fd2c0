// The code of the consumer that the contract is about.
export async function getUser(baseUrl, name) {
  const answer = await fetch(`${baseUrl}/users/${name}`);
  if (!answer.ok) throw new Error(`The user service answered ${answer.status}`);
  return answer.json();
}
